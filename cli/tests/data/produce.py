import os
from kafka import KafkaProducer
producer = KafkaProducer(bootstrap_servers=os.environ["BROKER"], acks="all")
partitions = int(os.environ["MATRIX_PARTITIONS"])
for number in range(2000):
    producer.send("orders", str(number).encode(), partition=number % partitions)
producer.flush()
print("produced 2000")
