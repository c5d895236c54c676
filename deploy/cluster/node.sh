# Sourced before `ray start` on every node of cluster.yaml: what all processes of the cluster must agree on, and the
# secrets of the file `env` beside it.
set -a
# Uploads go through a bounded queue in Serve's proxies (graphs/ray_patches/backpressure.py).
RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH=graphs.ray_patches.backpressure:bound_proxy
# A gRPC call has two short texts; Serve's own bound is 2 GiB, held in memory before a key is looked at.
RAY_SERVE_GRPC_MAX_MESSAGE_SIZE=4194304
# Replicas are packed onto few nodes instead of spread over all, so that GPUs fill up and empty nodes go.
RAY_SERVE_USE_PACK_SCHEDULING_STRATEGY=1
# Counters are counters in Prometheus.
RAY_EXPORT_COUNTER_AS_GAUGE=0
RAY_USAGE_STATS_ENABLED=0
# Whoever reaches the dashboard or the cluster without RAY_AUTH_TOKEN is refused.
RAY_AUTH_MODE=token
VOICEGRAPH_WEIGHTS=/mnt/weights
. "$(dirname "${BASH_SOURCE[0]}")/env"
# For weights in S3, whose client is set up by AWS's own variables alone.
AWS_DEFAULT_REGION=${VOICEGRAPH_S3_REGION:-}
set +a
# `ray up` sets it to 1, which would hold for every replica; Ray sets it from each replica's num_cpus.
unset OMP_NUM_THREADS

for name in RAY_AUTH_TOKEN VOICEGRAPH_DATABASE_URL VOICEGRAPH_ADMIN_KEY VOICEGRAPH_S3_BUCKET VOICEGRAPH_S3_REGION; do
  if [ -z "${!name:-}" ]; then
    echo "$name is not set in deploy/cluster/env" >&2
    return 1
  fi
done
