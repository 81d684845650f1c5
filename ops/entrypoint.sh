#!/bin/sh
# Hands the database's password to libpq by the standard environment variable, so that it is in no command line.
set -eu
if [ -r /run/secrets/postgres_password ]; then
  PGPASSWORD="$(cat /run/secrets/postgres_password)"
  export PGPASSWORD
fi
exec "$@"
