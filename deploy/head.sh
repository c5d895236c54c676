#!/usr/bin/env bash
# Runs a Ray head node with a Serve configuration on it until it is told to stop, or Ray dies.
#
#   voicegraph-head SERVE_CONFIG [options of `ray start`]
#
# A wrong configuration stops it before Ray starts. On SIGTERM Serve is shut down first: workers give their running jobs
# back to the queue.
set -euo pipefail
config=${1:?usage: voicegraph-head SERVE_CONFIG [options of ray start]}
shift
dashboard_port=${RAY_DASHBOARD_PORT:-8265}
export RAY_DASHBOARD_ADDRESS="http://127.0.0.1:$dashboard_port"
: "${RAY_AUTH_TOKEN:?whoever reaches the dashboard without a token may run code: set RAY_AUTH_TOKEN}"
export RAY_AUTH_MODE=token

python - "$config" <<'CHECK'
import sys
from pathlib import Path

from deployments.serve_config import load
from deployments.strict import ConfigError

try:
    load(Path(sys.argv[1]))
except ConfigError as error:
    sys.exit(f"{sys.argv[1]}: {error}")
CHECK

ray start --head --block --disable-usage-stats --dashboard-port "$dashboard_port" "$@" &
ray=$!

stop() {
  # Replicas go in their own time, some seconds; a minute is more than they are given here.
  serve shutdown --yes && timeout 60 bash -c 'until serve status | grep --quiet "^applications: {}"; do :; done' || true
  kill -TERM "$ray" 2>/dev/null || true
  wait "$ray" || true
  exit 0
}
trap stop TERM INT

until serve status >/dev/null 2>&1; do
  kill -0 "$ray" 2>/dev/null || wait "$ray"
  sleep 1 &
  wait $!
done
serve deploy "$config"
wait "$ray"
