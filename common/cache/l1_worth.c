/* SPDX-License-Identifier: Apache-2.0 */
#include "common/cache/l1_worth.h"

#define STEP_SECONDS 128u
#define PARTS 256u /* of a step */

enum sf_l1_worth
sf_l1_worth_of(const struct sf_record_head *head)
{
    if (head->kind != SF_RECORD_SESSION)
        return SF_L1_TOMBSTONE;
    if ((head->flags & SF_RECORD_PINNED) != 0)
        return SF_L1_PINNED;
    if (head->user.size > 0)
        return SF_L1_LOGGED_IN;
    if ((head->flags & SF_RECORD_BOT) != 0)
        return SF_L1_BOT;
    return (head->flags & SF_RECORD_CHILDREN) != 0 ? SF_L1_WITH_CHILDREN : SF_L1_ANONYMOUS;
}

uint32_t
sf_l1_frequency_now(uint32_t frequency, uint32_t seconds)
{
    uint32_t lost = seconds / STEP_SECONDS;

    return frequency > lost ? frequency - lost : 0;
}

/*
 * From n = 2^(step / 4) to n + 1: 4 * log2(1 + 1 / n) steps, in parts. Both what is lost and what is
 * gained is rounded by chance, or a session that comes once a minute would never lose anything, and
 * one that comes every second would stop to gain.
 */
uint32_t
sf_l1_frequency_next(uint32_t frequency, uint32_t seconds, uint32_t dice)
{
    static const uint16_t gains[SF_L1_FREQUENCY_MAX + 1] = {
        1024, 902, 790, 689, 599, 518, 447, 385, 330, 282, 240, 205, 174, 148, 125, 106,
        90,   76,  64,  54,  45,  38,  32,  27,  23,  19,  16,  14,  11,  10,  8,   7,
    };
    uint32_t lost = (seconds + (dice >> 8) % STEP_SECONDS) / STEP_SECONDS;
    uint32_t left = frequency > lost ? frequency - lost : 0;
    uint32_t next = left + (gains[left] + dice % PARTS) / PARTS;

    return next < SF_L1_FREQUENCY_MAX ? next : SF_L1_FREQUENCY_MAX;
}

uint64_t
sf_l1_touch_next(uint64_t touch, uint32_t seconds)
{
    uint32_t passed = seconds - sf_l1_touch_seconds(touch);
    uint32_t dice = (uint32_t)(((touch >> 32) ^ seconds * UINT64_C(0x9E3779B97F4A7C15)) *
                                   UINT64_C(0xD6E8FEB86659FD93) >>
                               40);
    uint32_t frequency = sf_l1_frequency_next(sf_l1_touch_frequency(touch), passed, dice);

    return sf_l1_touch_make(touch >> 40, sf_l1_touch_worth(touch), frequency, seconds);
}

uint64_t
sf_l1_rank(uint64_t touch, uint32_t now_seconds, bool is_stale)
{
    uint32_t seconds = sf_l1_touch_seconds(touch);
    uint32_t passed = now_seconds > seconds ? now_seconds - seconds : 0;
    uint64_t frequency = sf_l1_frequency_now(sf_l1_touch_frequency(touch), passed);

    return (uint64_t)sf_l1_touch_worth(touch) << 40 | (uint64_t)!is_stale << 39 |
           frequency << 32 | seconds;
}
