#!/bin/sh
# First process of the Kafka test image. Like Kafka's own image it is told by the environment where it listens and
# what it calls itself to its clients: KAFKA_LISTENERS, KAFKA_ADVERTISED_LISTENERS, CLUSTER_ID.
set -eu

if [ $# -gt 0 ]; then exec "$@"; fi
exec tansu broker \
    --cluster-id "${CLUSTER_ID:-drover}" \
    --listener-url "tcp://${KAFKA_LISTENERS:-0.0.0.0:9092}" \
    --advertised-listener-url "tcp://${KAFKA_ADVERTISED_LISTENERS:-kafka:9092}" \
    --storage-engine memory://drover/
