import os
from kafka import KafkaConsumer, TopicPartition
consumer = KafkaConsumer(bootstrap_servers=os.environ["BROKER"], consumer_timeout_ms=20000)
partitions = int(os.environ["MATRIX_PARTITIONS"])
assert len(consumer.partitions_for_topic("orders")) == partitions
consumer.assign([TopicPartition("orders", number) for number in range(partitions)])
consumer.seek_to_beginning()
seen = {number: [] for number in range(partitions)}
while sum(map(len, seen.values())) < 2000:
    message = next(consumer)
    seen[message.partition].append(int(message.value))
for partition, numbers in seen.items():
    assert numbers == list(range(partition, 2000, partitions)), (partition, numbers[:10])
print("consumed 2000 in order from", partitions, "partitions")
