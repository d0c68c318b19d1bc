# A PostgreSQL of the tests' own, in a folder of its own, reached through a socket in it. It obeys the
# lines `start` and `stop`, and is gone when its input ends, however the tests do.
set -eu
bin=$(ls -d /usr/lib/postgresql/*/bin | sort --version-sort | tail -n 1)
folder=$(mktemp -d)
postgres() { "$@"; }
if [ "$(id -u)" = 0 ]; then
  # Which refuses to run as root.
  chown postgres "$folder"
  postgres() { runuser -u postgres -- "$@"; }
fi
stop() { postgres "$bin/pg_ctl" stop --pgdata="$folder/data" --mode=immediate --silent || true; }
trap 'stop; rm -r "$folder"' EXIT
cd "$folder"
postgres "$bin/initdb" --pgdata="$folder/data" --username=postgres --auth=trust --no-sync \
  --encoding=UTF8 >"$folder/initdb.log"
cat >>"$folder/data/postgresql.conf" <<END
listen_addresses = ''
unix_socket_directories = '$folder'
fsync = off
max_connections = 300
END
echo "$folder"
while read -r line; do
  case $line in
    start) postgres "$bin/pg_ctl" start --pgdata="$folder/data" --log="$folder/data/log" --wait --silent ;;
    stop) stop ;;
  esac
  echo done
done
