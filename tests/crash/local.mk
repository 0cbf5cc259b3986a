# SPDX-License-Identifier: Apache-2.0
# Processes killed at the worst moment.
