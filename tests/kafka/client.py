#!/usr/bin/env python3
"""Another Kafka client, for tests: what flowline writes and reads is read and written by this one.

  client.py BROKERS create TOPIC PARTITIONS
  client.py BROKERS produce TOPIC              lines of JSON: value, key, timestamp, partition, headers, all optional;
                                               a value that is no string is sent as JSON, null as a tombstone
  client.py BROKERS aborted TOPIC              the same in a transaction that is aborted
  client.py BROKERS consume TOPIC              all records as lines of JSON, by partition and offset
  client.py BROKERS trim TOPIC OFFSET          removes the records before an offset of each partition
  client.py BROKERS config TOPIC NAME          what is set for a topic
  client.py BROKERS commit TOPIC GROUP OFFSET...   commits an offset for partition 0, 1, ...
  client.py BROKERS fence ID SECONDS           shuts out whoever writes with this transactional id, again and again
  client.py BROKERS partition KEY PARTITIONS   where Java's client puts a key
"""
import json
import sys
import time

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic


def encoded(value):
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)


def decoded(data):
    if data is None:
        return None
    try:
        return json.loads(data)
    except ValueError:
        return data.decode(errors="replace")


def create(brokers, topic, partitions):
    admin = AdminClient({"bootstrap.servers": brokers})
    for future in admin.create_topics([NewTopic(topic, int(partitions), 1)]).values():
        future.result(30)


def produce(brokers, topic):
    failures = []
    producer = Producer({"bootstrap.servers": brokers, "partitioner": "murmur2_random", "linger.ms": 1})
    for line in filter(str.strip, sys.stdin):
        record = json.loads(line)
        optional = {k: record[k] for k in ("timestamp", "partition") if k in record}
        producer.produce(topic, value=encoded(record.get("value")), key=record.get("key"),
                         headers=list(record.get("headers", {}).items()),
                         on_delivery=lambda error, _: error and failures.append(str(error)), **optional)
    if producer.flush(30) or failures:
        sys.exit(f"not delivered: {failures[:1]}")


def aborted(brokers, topic):
    producer = Producer({"bootstrap.servers": brokers, "transactional.id": f"aborted {topic}"})
    producer.init_transactions(30)
    producer.begin_transaction()
    for line in filter(str.strip, sys.stdin):
        record = json.loads(line)
        producer.produce(topic, value=encoded(record.get("value")), partition=record.get("partition", 0))
    producer.flush(30)
    producer.abort_transaction(30)


def consume(brokers, topic):
    consumer = Consumer({"bootstrap.servers": brokers, "group.id": "test-client", "enable.auto.commit": False,
                         "enable.partition.eof": True, "auto.offset.reset": "error"})
    records = []
    partitions = consumer.list_topics(topic, timeout=30).topics[topic].partitions
    for partition in partitions:
        first, end = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=30)
        consumer.assign([TopicPartition(topic, partition, first)])
        while first < end:
            message = consumer.poll(30)
            if message is None:
                sys.exit(f"{topic} {partition}: nothing within 30 s")
            if message.error():
                if message.error().name() == "_PARTITION_EOF":
                    break
                sys.exit(str(message.error()))
            if message.offset() >= end:
                break
            records.append({
                "partition": partition, "offset": message.offset(), "timestamp": message.timestamp()[1],
                "key": decoded(message.key()), "value": decoded(message.value()),
                "headers": {k: None if v is None else v.decode() for k, v in message.headers() or []}})
            first = message.offset() + 1
    consumer.close()
    for record in records:
        print(json.dumps(record))


def trim(brokers, topic, offset):
    admin = AdminClient({"bootstrap.servers": brokers})
    partitions = admin.list_topics(topic, timeout=30).topics[topic].partitions
    for future in admin.delete_records([TopicPartition(topic, p, int(offset)) for p in partitions]).values():
        future.result(30)


def config(brokers, topic, name):
    resource = ConfigResource("topic", topic)
    admin = AdminClient({"bootstrap.servers": brokers})
    for future in admin.describe_configs([resource]).values():
        print(future.result(30)[name].value)


def commit(brokers, topic, group, *offsets):
    consumer = Consumer({"bootstrap.servers": brokers, "group.id": group})
    consumer.commit(offsets=[TopicPartition(topic, p, int(o)) for p, o in enumerate(offsets)], asynchronous=False)
    consumer.close()


def fence(brokers, transactional_id, seconds):
    deadline = time.monotonic() + float(seconds)
    while time.monotonic() < deadline:
        Producer({"bootstrap.servers": brokers, "transactional.id": transactional_id}).init_transactions(10)


def murmur2(data):
    mask = 0xFFFFFFFF
    h = (0x9747B28C ^ len(data)) & mask
    whole = len(data) // 4 * 4
    for i in range(0, whole, 4):
        k = int.from_bytes(data[i:i + 4], "little") * 0x5BD1E995 & mask
        k = (k ^ k >> 24) * 0x5BD1E995 & mask
        h = (h * 0x5BD1E995 & mask) ^ k
    tail = data[whole:]
    if tail:
        h = (h ^ int.from_bytes(tail, "little")) * 0x5BD1E995 & mask
    h = (h ^ h >> 13) * 0x5BD1E995 & mask
    return h ^ h >> 15


def partition(_brokers, key, partitions):
    print((murmur2(key.encode()) & 0x7FFFFFFF) % int(partitions))


if __name__ == "__main__":
    brokers, command, *arguments = sys.argv[1:]
    {"create": create, "produce": produce, "aborted": aborted, "consume": consume, "commit": commit, "config": config, "trim": trim, "fence": fence,
     "partition": partition}[command](
        brokers, *arguments)
