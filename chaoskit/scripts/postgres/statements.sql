-- name: free
-- Our own session does not count.
SELECT current_setting('max_connections')::int + 1 - count(*) FROM pg_stat_activity
WHERE backend_type = 'client backend';

-- name: table
-- Nobody could log in any more with a lock on the catalog; its tables have numbers below 16384.
SELECT coalesce(to_regclass(:'table')::oid::bigint >= 16384, false);

-- name: locked
SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid)
WHERE application_name = :'holder' AND relation = to_regclass(:'table') AND mode = :'mode'
AND granted;

-- name: waiting
SELECT count(*) FROM pg_stat_activity WHERE pg_blocking_pids(pid) && ARRAY(
SELECT pid FROM pg_stat_activity WHERE application_name = :'holder');

-- name: try_lock
BEGIN;
SET LOCAL lock_timeout = '200ms';
LOCK TABLE :table IN :mode MODE;

-- name: read_only
SHOW default_transaction_read_only;

-- name: try_write
BEGIN;
CREATE TABLE chaoskit_canary ();
ROLLBACK;

-- name: in_system
SELECT setting FROM pg_file_settings
WHERE name = 'default_transaction_read_only' AND sourcefile LIKE '%postgresql.auto.conf'
ORDER BY seqno DESC LIMIT 1;

-- name: in_database
SELECT split_part(one, '=', 2) FROM pg_db_role_setting, unnest(setconfig) AS one
WHERE setrole = 0 AND setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
AND one LIKE 'default_transaction_read_only=%';

-- name: set_system
ALTER SYSTEM SET default_transaction_read_only = :'value';

-- name: reset_system
ALTER SYSTEM RESET default_transaction_read_only;

-- name: reload
SELECT pg_reload_conf();

-- name: set_database
ALTER DATABASE :"database" SET default_transaction_read_only = :'value';

-- name: reset_database
ALTER DATABASE :"database" RESET default_transaction_read_only;

-- name: settings
-- Each as [name, value]. Which lines of files are not in force yet, not everybody may read.
SELECT has_table_privilege('pg_catalog.pg_file_settings', 'select') AS may \gset
\if :may
SELECT jsonb_build_array(concat(name, ' in ', regexp_replace(sourcefile, '.*/', '')),
string_agg(setting, ', ' ORDER BY seqno)) FROM pg_file_settings GROUP BY name, sourcefile;
\endif
SELECT jsonb_build_array(name, setting) FROM pg_settings;
SELECT jsonb_build_array(format('settings of role %s in database %s',
coalesce(nullif(setrole, 0)::regrole::text, 'any'), coalesce(datname, 'any')), setconfig::text)
FROM pg_db_role_setting LEFT JOIN pg_database AS d ON d.oid = setdatabase;
SELECT jsonb_build_array('limits of database ' || datname, concat(datallowconn, ' ', datconnlimit))
FROM pg_database;
SELECT jsonb_build_array('limits of role ' || rolname, concat(rolcanlogin, ' ', rolconnlimit))
FROM pg_roles;

-- name: held
SELECT count(*) FROM pg_stat_activity
WHERE application_name = :'holder' AND pid <> pg_backend_pid();

-- name: end_held
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
WHERE application_name = :'holder' AND pid <> pg_backend_pid();

-- name: sessions
-- A session is its process and when it started: process numbers come again.
SELECT pid || '@' || (extract(epoch FROM backend_start) * 1000)::bigint FROM pg_stat_activity
WHERE datname = current_database() AND backend_type = 'client backend'
AND pid <> pg_backend_pid() AND application_name NOT LIKE 'chaoskit-%';

-- name: end_sessions
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
WHERE datname = current_database() AND backend_type = 'client backend'
AND pid <> pg_backend_pid() AND application_name NOT LIKE 'chaoskit-%';
