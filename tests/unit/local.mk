# SPDX-License-Identifier: Apache-2.0
# One program for each source file, named after it; without a _SOURCES line it is made of the one file of its name.
check_PROGRAMS += \
	%D%/check_status \
	%D%/check_bytes \
	%D%/check_clock \
	%D%/check_boot_id \
	%D%/check_descriptors \
	%D%/check_files \
	%D%/check_finding \
	%D%/check_folder_examine \
	%D%/check_store_path_examine \
	%D%/check_store_reach \
	%D%/check_store_sql_facts \
	%D%/check_random \
	%D%/check_histogram \
	%D%/check_draw \
	%D%/check_pattern \
	%D%/check_pace \
	%D%/check_crowd \
	%D%/check_secret \
	%D%/check_log \
	%D%/check_counters \
	%D%/check_units \
	%D%/check_config \
	%D%/check_config_check \
	%D%/check_config_preset \
	%D%/check_config_file \
	%D%/check_config_lines \
	%D%/check_endpoint \
	%D%/check_places \
	%D%/check_routes \
	%D%/check_instance \
	%D%/check_session_id \
	%D%/check_imported_id \
	%D%/check_cookie \
	%D%/check_record \
	%D%/check_record_part \
	%D%/check_session \
	%D%/check_life \
	%D%/check_user_epochs \
	%D%/check_lineage \
	%D%/check_merge \
	%D%/check_merge_orders \
	%D%/check_ops \
	%D%/check_ops_apply \
	%D%/check_ops_patch \
	%D%/check_ops_diff \
	%D%/check_ops_words \
	%D%/check_form \
	%D%/check_export \
	%D%/check_export_json \
	%D%/check_exchange \
	%D%/check_cache_rules \
	%D%/check_shared_memory \
	%D%/check_process_slots \
	%D%/check_l1 \
	%D%/check_l1_read \
	%D%/check_l1_section \
	%D%/check_l1_move \
	%D%/check_l1_late \
	%D%/check_l1_threads \
	%D%/check_l1_model \
	%D%/check_l1_check \
	%D%/check_l1_repair \
	%D%/check_l1_dirty \
	%D%/check_l1_evict \
	%D%/check_l1_worth \
	%D%/check_l1_fill \
	%D%/check_l1_host \
	%D%/check_l1_confirm \
	%D%/check_l1_merge \
	%D%/check_l1_apply \
	%D%/check_l1_create \
	%D%/check_l1_plan \
	%D%/check_l1_pressure \
	%D%/check_record_locks \
	%D%/check_resp \
	%D%/check_ask_daemon \
	%D%/check_front \
	%D%/check_front_apply \
	%D%/check_front_attach \
	%D%/check_front_epochs \
	%D%/check_front_stale \
	%D%/check_front_store_only \
	%D%/check_visit \
	%D%/check_visit_choose \
	%D%/check_visit_commit \
	%D%/check_daemon_holder \
	%D%/check_daemon_start \
	%D%/check_daemon_care \
	%D%/check_store \
	%D%/check_store_contract \
	%D%/check_migrate_words \
	%D%/check_migrate_debts \
	%D%/check_migrate_hosts \
	%D%/check_migrate_state \
	%D%/check_store_migrate \
	%D%/check_store_migrate_change \
	%D%/check_store_migrate_hosts \
	%D%/check_store_migrate_row \
	%D%/check_store_migrate_open \
	%D%/check_store_migrate_pass \
	%D%/check_store_migrate_threads \
	%D%/check_l2 \
	%D%/check_l2_crew \
	%D%/check_l2_epochs \
	%D%/check_l2_seal \
	%D%/check_memcached_meta \
	%D%/check_store_tiered \
	%D%/check_store_tiered_write \
	%D%/check_store_fail \
	%D%/check_store_guard \
	%D%/check_store_none \
	%D%/check_json_plain \
	%D%/check_store_file \
	%D%/check_row_json \
	%D%/check_foreign \
	%D%/check_store_hosts \
	%D%/check_store_news \
	%D%/check_store_sql \
	%D%/check_store_shared \
	%D%/check_store_sqlite \
	%D%/check_store_sqlite_outages \
	%D%/check_store_sqlite_damage \
	%D%/check_batch_writer \
	%D%/check_batch_writer_outages \
	%D%/check_touches \
	%D%/check_refused \
	%D%/check_row_checksum \
	%D%/check_store_url \
	%D%/check_stores_check \
	%D%/check_breaker \
	%D%/check_resolver \
	%D%/check_journal_map \
	%D%/check_journal_file \
	%D%/check_journal \
	%D%/check_journal_limits \
	%D%/check_journal_failures \
	%D%/check_journal_orphans \
	%D%/check_journal_publish \
	%D%/check_journal_salvage \
	%D%/check_journal_tidy \
	%D%/check_journal_drain \
	%D%/check_pressure \
	%D%/check_spill \
	%D%/check_restore \
	%D%/check_sweep \
	%D%/check_clock_watch \
	%D%/check_follower \
	%D%/check_lease \
	%D%/check_loader \
	%D%/check_loader_news \
	%D%/check_command_list \
	%D%/check_command_load \
	%D%/check_journaler \
	%D%/check_usage \
	%D%/check_fcgi_record \
	%D%/check_params \
	%D%/check_cgi_header \
	%D%/check_outbox \
	%D%/check_connection \
	%D%/check_connection_answer \
	%D%/check_cgi_path \
	%D%/check_cgi_spawn \
	%D%/check_cgi_run \
	%D%/check_request \
	%D%/check_workers \
	%D%/check_daemon_watch \
	%D%/check_settings \
	%D%/check_listeners \
	%D%/check_leftovers \
	%D%/check_response \
	%D%/check_response_head \
	%D%/check_api \
	%D%/check_authorizer \
	%D%/check_patience \
	%D%/check_upstream \
	%D%/check_upstream_link \
	%D%/check_upstream_pool

if HAVE_POSTGRESQL
check_PROGRAMS += %D%/check_store_postgresql %D%/check_store_postgresql_array
tests_unit_check_store_postgresql_SOURCES = %D%/check_store_postgresql.c $(no_server_case)
endif
if HAVE_MYSQL
check_PROGRAMS += %D%/check_store_mysql
tests_unit_check_store_mysql_SOURCES = %D%/check_store_mysql.c $(no_server_case)
endif
no_server_case = %D%/no_server_case.c %D%/no_server_case.h
tests_unit_check_store_postgresql_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=getaddrinfo
tests_unit_check_store_mysql_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=getaddrinfo

tests_unit_check_l1_read_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=sf_l1_block_read \
	-Wl,--wrap=sf_buffer_reserve -Wl,--wrap=sf_record_find_part
tests_unit_check_l1_dirty_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=sf_l1_hint_read
tests_unit_check_front_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=sf_l1_get
tests_unit_check_journal_orphans_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=sf_journal_file_each \
	-Wl,--wrap=sf_journal_publish
tests_unit_check_journal_publish_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=sf_l1_settle
tests_unit_check_l1_confirm_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=sf_clock_steady

tests_unit_check_journal_failures_LDADD = $(LDADD) $(SQLITE_LIBS)
tests_unit_check_journal_drain_LDADD = $(LDADD) $(SQLITE_LIBS)
tests_unit_check_journal_tidy_LDADD = $(LDADD) $(SQLITE_LIBS)
tests_unit_check_journal_salvage_LDADD = $(LDADD) $(SQLITE_LIBS)
tests_unit_check_journal_file_LDADD = $(LDADD) $(SQLITE_LIBS)

# What the programs of one subject share.
tests_unit_check_store_contract_SOURCES = %D%/check_store_contract.c %D%/contract_case.c %D%/contract_case.h
config_case = %D%/config_case.c %D%/config_case.h
tests_unit_check_config_SOURCES = %D%/check_config.c $(config_case)
tests_unit_check_config_lines_SOURCES = %D%/check_config_lines.c $(config_case)
tests_unit_check_places_SOURCES = %D%/check_places.c $(config_case)
tests_unit_check_routes_SOURCES = %D%/check_routes.c $(config_case)
tests_unit_check_config_preset_SOURCES = %D%/check_config_preset.c $(config_case)
tests_unit_check_config_file_SOURCES = %D%/check_config_file.c $(config_case)
cache_case = %D%/cache_case.c %D%/cache_case.h
tests_unit_check_l1_SOURCES = %D%/check_l1.c $(cache_case)
tests_unit_check_l1_read_SOURCES = %D%/check_l1_read.c $(cache_case)
tests_unit_check_l1_repair_SOURCES = %D%/check_l1_repair.c $(cache_case)
tests_unit_check_l1_dirty_SOURCES = %D%/check_l1_dirty.c $(cache_case)
tests_unit_check_l1_evict_SOURCES = %D%/check_l1_evict.c $(cache_case)
tests_unit_check_l1_fill_SOURCES = %D%/check_l1_fill.c $(cache_case)
tests_unit_check_l1_confirm_SOURCES = %D%/check_l1_confirm.c $(cache_case)
tests_unit_check_l1_apply_SOURCES = %D%/check_l1_apply.c $(cache_case)
front_case = %D%/front_case.c %D%/front_case.h
tests_unit_check_front_SOURCES = %D%/check_front.c $(front_case)
tests_unit_check_front_apply_SOURCES = %D%/check_front_apply.c $(front_case)
tests_unit_check_front_attach_SOURCES = %D%/check_front_attach.c $(front_case)
tests_unit_check_front_epochs_SOURCES = %D%/check_front_epochs.c $(front_case)
tests_unit_check_front_stale_SOURCES = %D%/check_front_stale.c $(front_case)
tests_unit_check_front_store_only_SOURCES = %D%/check_front_store_only.c $(front_case)
visit_case = %D%/visit_case.c %D%/visit_case.h
tests_unit_check_visit_SOURCES = %D%/check_visit.c $(visit_case)
tests_unit_check_visit_choose_SOURCES = %D%/check_visit_choose.c $(visit_case)
tests_unit_check_visit_commit_SOURCES = %D%/check_visit_commit.c $(visit_case)
daemon_case = %D%/daemon_case.c %D%/daemon_case.h
tests_unit_check_daemon_holder_SOURCES = %D%/check_daemon_holder.c $(daemon_case)
tests_unit_check_daemon_start_SOURCES = %D%/check_daemon_start.c $(daemon_case)
tests_unit_check_daemon_care_SOURCES = %D%/check_daemon_care.c $(daemon_case)
journal_case = %D%/journal_case.c %D%/journal_case.h
tests_unit_check_journal_SOURCES = %D%/check_journal.c $(journal_case)
tests_unit_check_journal_limits_SOURCES = %D%/check_journal_limits.c $(journal_case)
tests_unit_check_journal_failures_SOURCES = %D%/check_journal_failures.c $(journal_case)
tests_unit_check_journal_orphans_SOURCES = %D%/check_journal_orphans.c $(journal_case)
tests_unit_check_journal_publish_SOURCES = %D%/check_journal_publish.c $(journal_case)
tests_unit_check_journal_tidy_SOURCES = %D%/check_journal_tidy.c $(journal_case)
merge_case = %D%/merge_case.c %D%/merge_case.h
tests_unit_check_merge_SOURCES = %D%/check_merge.c $(merge_case)
tests_unit_check_merge_orders_SOURCES = %D%/check_merge_orders.c $(merge_case)
sqlite_case = %D%/sqlite_case.c %D%/sqlite_case.h
tests_unit_check_store_sqlite_SOURCES = %D%/check_store_sqlite.c $(sqlite_case)
tests_unit_check_store_sqlite_outages_SOURCES = %D%/check_store_sqlite_outages.c $(sqlite_case)
tests_unit_check_store_sqlite_damage_SOURCES = %D%/check_store_sqlite_damage.c $(sqlite_case)
writer_case = %D%/writer_case.c %D%/writer_case.h
tests_unit_check_batch_writer_SOURCES = %D%/check_batch_writer.c $(writer_case)
tests_unit_check_batch_writer_outages_SOURCES = %D%/check_batch_writer_outages.c $(writer_case)
tests_unit_check_touches_SOURCES = %D%/check_touches.c $(writer_case)

# Parts of the daemon, which is no library.
tests_unit_check_clock_watch_SOURCES = %D%/check_clock_watch.c session_daemon/clock_watch.c
tests_unit_check_follower_SOURCES = %D%/check_follower.c session_daemon/follower.c session_daemon/lease.c session_daemon/task_queue.c
tests_unit_check_command_list_SOURCES = %D%/check_command_list.c session_daemon/command_list.c session_daemon/task_queue.c
tests_unit_check_command_load_SOURCES = %D%/check_command_load.c session_daemon/command_load.c
loader_case = %D%/loader_case.c %D%/loader_case.h session_daemon/loader.c session_daemon/lease.c session_daemon/task_queue.c
tests_unit_check_loader_SOURCES = %D%/check_loader.c $(loader_case)
tests_unit_check_loader_news_SOURCES = %D%/check_loader_news.c $(loader_case)
tests_unit_check_lease_SOURCES = %D%/check_lease.c session_daemon/lease.c
tests_unit_check_journaler_SOURCES = %D%/check_journaler.c session_daemon/journaler.c session_daemon/task_queue.c
tests_unit_check_usage_SOURCES = %D%/check_usage.c session_daemon/usage.c

# The gateway.
web_server_case = %D%/web_server_case.c %D%/web_server_case.h
tests_unit_check_fcgi_record_LDADD = libgateway.a $(LDADD)
tests_unit_check_outbox_LDADD = libgateway.a $(LDADD)
connection_case = %D%/connection_case.c %D%/connection_case.h $(web_server_case)
tests_unit_check_connection_SOURCES = %D%/check_connection.c $(connection_case)
tests_unit_check_connection_answer_SOURCES = %D%/check_connection_answer.c $(connection_case)
tests_unit_check_connection_answer_LDADD = libgateway.a $(LDADD)
tests_unit_check_connection_LDADD = libgateway.a $(LDADD)
tests_unit_check_cgi_path_LDADD = libgateway.a $(LDADD)
tests_unit_check_settings_LDADD = libgateway.a $(LDADD)
tests_unit_check_listeners_LDADD = libgateway.a $(LDADD)
tests_unit_check_leftovers_LDADD = libgateway.a $(LDADD)
tests_unit_check_params_LDADD = libgateway.a $(LDADD)
gateway_case = %D%/gateway_case.c %D%/gateway_case.h $(web_server_case)
tests_unit_check_response_SOURCES = %D%/check_response.c $(gateway_case)
tests_unit_check_response_LDADD = libgateway.a $(LDADD)
cgi_case = %D%/cgi_case.c %D%/cgi_case.h $(gateway_case)
tests_unit_check_cgi_spawn_SOURCES = %D%/check_cgi_spawn.c $(cgi_case)
tests_unit_check_cgi_spawn_LDADD = libgateway.a $(LDADD)
tests_unit_check_cgi_run_SOURCES = %D%/check_cgi_run.c $(cgi_case)
tests_unit_check_cgi_run_LDADD = libgateway.a $(LDADD)
tests_unit_check_request_SOURCES = %D%/check_request.c $(cgi_case) $(visit_case)
tests_unit_check_request_LDADD = libgateway.a $(LDADD)
tests_unit_check_workers_SOURCES = %D%/check_workers.c $(gateway_case)
tests_unit_check_workers_LDADD = libgateway.a $(LDADD)
tests_unit_check_daemon_watch_SOURCES = %D%/check_daemon_watch.c $(daemon_case)
tests_unit_check_daemon_watch_LDADD = libgateway.a $(LDADD)
gateway_visit_case = %D%/gateway_visit_case.c %D%/gateway_visit_case.h $(gateway_case) $(visit_case)
tests_unit_check_api_SOURCES = %D%/check_api.c $(gateway_visit_case)
tests_unit_check_api_LDADD = libgateway.a $(LDADD)
tests_unit_check_response_head_SOURCES = %D%/check_response_head.c $(gateway_visit_case)
tests_unit_check_response_head_LDADD = libgateway.a $(LDADD)
tests_unit_check_authorizer_SOURCES = %D%/check_authorizer.c $(gateway_visit_case)
tests_unit_check_authorizer_LDADD = libgateway.a $(LDADD)
tests_unit_check_patience_LDADD = libgateway.a $(LDADD)
tests_unit_check_upstream_SOURCES = %D%/check_upstream.c $(gateway_case)
tests_unit_check_upstream_LDADD = libgateway.a $(LDADD)
tests_unit_check_upstream_link_LDADD = libgateway.a $(LDADD)
tests_unit_check_upstream_pool_LDADD = libgateway.a $(LDADD)
tests_unit_check_cgi_header_LDADD = libgateway.a $(LDADD)

migrate_case = %D%/migrate_case.c %D%/migrate_case.h
tests_unit_check_store_migrate_SOURCES = %D%/check_store_migrate.c $(migrate_case)
tests_unit_check_store_migrate_change_SOURCES = %D%/check_store_migrate_change.c $(migrate_case)
migrate_hosts_case = $(migrate_case) %D%/migrate_hosts_case.c %D%/migrate_hosts_case.h
tests_unit_check_store_migrate_hosts_SOURCES = %D%/check_store_migrate_hosts.c $(migrate_hosts_case)
tests_unit_check_store_migrate_row_SOURCES = %D%/check_store_migrate_row.c $(migrate_hosts_case)
tests_unit_check_store_migrate_open_SOURCES = %D%/check_store_migrate_open.c $(migrate_case)
tests_unit_check_store_migrate_threads_SOURCES = %D%/check_store_migrate_threads.c $(migrate_case)
tests_unit_check_store_migrate_pass_SOURCES = %D%/check_store_migrate_pass.c $(migrate_case)

# The load generator, which only programs link.
tests_unit_check_draw_LDADD = libload.a $(LDADD)
tests_unit_check_pattern_LDADD = libload.a $(LDADD)
tests_unit_check_pace_LDADD = libload.a $(LDADD)
tests_unit_check_crowd_LDADD = libload.a $(LDADD)

finding_case = %D%/finding_case.c %D%/finding_case.h
tests_unit_check_finding_SOURCES = %D%/check_finding.c $(finding_case)
tests_unit_check_folder_examine_SOURCES = %D%/check_folder_examine.c $(finding_case)
tests_unit_check_store_path_examine_SOURCES = %D%/check_store_path_examine.c $(finding_case)
tests_unit_check_store_reach_SOURCES = %D%/check_store_reach.c $(finding_case)
tests_unit_check_store_sql_facts_SOURCES = %D%/check_store_sql_facts.c $(finding_case)

tiered_case = %D%/tiered_case.c %D%/tiered_case.h
tests_unit_check_store_tiered_SOURCES = %D%/check_store_tiered.c $(tiered_case)
tests_unit_check_store_tiered_write_SOURCES = %D%/check_store_tiered_write.c $(tiered_case)

stream_case = %D%/stream_case.c %D%/stream_case.h
if HAVE_MEMCACHED
check_PROGRAMS += %D%/check_l2_memcached %D%/check_memcached_examine %D%/check_memcached_facts
tests_unit_check_l2_memcached_SOURCES = %D%/check_l2_memcached.c $(stream_case)
tests_unit_check_memcached_examine_SOURCES = %D%/check_memcached_examine.c $(finding_case) $(stream_case)
tests_unit_check_memcached_facts_SOURCES = %D%/check_memcached_facts.c $(finding_case)
endif

if HAVE_WIRE
check_PROGRAMS += %D%/check_wire %D%/check_wire_tls
tests_unit_check_wire_tls_LDADD = $(LDADD) $(REDIS_LIBS) $(MEMCACHED_LIBS)
endif

if HAVE_REDIS
check_PROGRAMS += \
	%D%/check_l2_redis \
	%D%/check_store_redis %D%/check_store_redis_errors %D%/check_store_redis_facts %D%/check_store_redis_nodes \
	%D%/check_store_redis_follow_cluster %D%/check_store_redis_follow %D%/check_store_redis_rows \
	%D%/check_store_redis_reader \
	%D%/check_store_redis_batch %D%/check_store_redis_map %D%/check_store_redis_sentinel %D%/check_store_redis_server
tests_unit_check_store_redis_SOURCES = %D%/check_store_redis.c $(stream_case)
tests_unit_check_store_redis_LDADD = $(LDADD) $(REDIS_LIBS)
tests_unit_check_store_redis_reader_LDADD = $(LDADD) $(REDIS_LIBS)
tests_unit_check_store_redis_facts_SOURCES = %D%/check_store_redis_facts.c $(finding_case)
tests_unit_check_store_redis_rows_LDADD = $(LDADD) $(REDIS_LIBS)
tests_unit_check_store_redis_map_LDADD = $(LDADD) $(REDIS_LIBS)
redis_case = %D%/redis_case.c %D%/redis_case.h
tests_unit_check_l2_redis_SOURCES = %D%/check_l2_redis.c $(redis_case)
tests_unit_check_l2_redis_LDADD = $(LDADD) $(REDIS_LIBS)
tests_unit_check_store_redis_follow_SOURCES = %D%/check_store_redis_follow.c $(redis_case)
tests_unit_check_store_redis_follow_cluster_SOURCES = %D%/check_store_redis_follow_cluster.c $(redis_case)
tests_unit_check_store_redis_follow_cluster_LDADD = $(LDADD) $(REDIS_LIBS)
tests_unit_check_store_redis_follow_LDADD = $(LDADD) $(REDIS_LIBS)
tests_unit_check_store_redis_batch_SOURCES = %D%/check_store_redis_batch.c $(redis_case)
tests_unit_check_store_redis_batch_LDADD = $(LDADD) $(REDIS_LIBS)
tests_unit_check_store_redis_sentinel_SOURCES = %D%/check_store_redis_sentinel.c $(redis_case)
tests_unit_check_store_redis_sentinel_LDADD = $(LDADD) $(REDIS_LIBS)
endif
