CREATE TABLE channel (
    task_id TEXT NOT NULL, channel TEXT NOT NULL,
    epoch INTEGER NOT NULL, resume_kind TEXT NOT NULL, resume_ordinal TEXT NOT NULL, incarnation TEXT NOT NULL,
    tick TEXT NOT NULL,
    PRIMARY KEY (task_id, channel)
  ) STRICT;
INSERT INTO channel VALUES ('recorded', 'lab-rootcoord-dml_0', 1, 'at', '21', '2026-11-23T06:00:00.123456789Z', '470658248950677515');
INSERT INTO channel VALUES ('recorded', 'lab-rootcoord-dml_1', 1, 'after', '-1', 'new', '0');
CREATE TABLE collection (
    task_id TEXT NOT NULL, collection_id TEXT NOT NULL,
    database TEXT NOT NULL, name TEXT NOT NULL, create_tick TEXT NOT NULL, drop_tick TEXT,
    phase TEXT NOT NULL, target_id TEXT, schema BLOB NOT NULL, shard_count INTEGER NOT NULL,
    consistency_level INTEGER NOT NULL, properties TEXT NOT NULL, partition_key_count INTEGER NOT NULL,
    vchannels TEXT NOT NULL, operations_until TEXT NOT NULL,
    PRIMARY KEY (task_id, collection_id)
  ) STRICT;
INSERT INTO collection VALUES ('recorded', '470658247834468382', 'shop', 'orders ü', '470658248950677509', NULL, 'created', '9007199254740993', X'0001FEFF', 2, 2, '[{"key":"collection.ttl.seconds","value":"3600"}]', 0, '["lab-rootcoord-dml_0_470658247834468382v0","lab-rootcoord-dml_1_470658247834468382v1"]', '-1');
CREATE TABLE dropped_partition (
    task_id TEXT NOT NULL, collection_id TEXT NOT NULL, partition_id TEXT NOT NULL,
    PRIMARY KEY (task_id, collection_id, partition_id)
  ) STRICT;
INSERT INTO dropped_partition VALUES ('recorded', '470658247834468382', '470658247834468400');
CREATE TABLE made_database (
    task_id TEXT NOT NULL, name TEXT NOT NULL,
    PRIMARY KEY (task_id, name)
  ) STRICT;
INSERT INTO made_database VALUES ('recorded', 'shop');
CREATE TABLE shard (
    task_id TEXT NOT NULL, vchannel TEXT NOT NULL, collection_id TEXT NOT NULL, channel TEXT NOT NULL,
    epoch INTEGER NOT NULL, resume_kind TEXT NOT NULL, resume_ordinal TEXT NOT NULL, incarnation TEXT NOT NULL,
    tick TEXT NOT NULL,
    PRIMARY KEY (task_id, vchannel)
  ) STRICT;
INSERT INTO shard VALUES ('recorded', 'lab-rootcoord-dml_0_470658247834468382v0', '470658247834468382', 'lab-rootcoord-dml_0', 1, 'at', '20', '2026-11-23T06:00:00.123456789Z', '470658248950677514');
INSERT INTO shard VALUES ('recorded', 'lab-rootcoord-dml_1_470658247834468382v1', '470658247834468382', 'lab-rootcoord-dml_1', 1, 'at', '1', '2026-11-23T06:00:00.123456789Z', '470658248950677508');
CREATE TABLE task (
    task_id TEXT PRIMARY KEY,
    epoch INTEGER NOT NULL,
    etcd_cluster_id TEXT NOT NULL,
    root_path TEXT NOT NULL,
    wal_kind TEXT NOT NULL,
    wal_identity TEXT NOT NULL
  ) STRICT;
INSERT INTO task VALUES ('recorded', 1, '14841639068965178418', 'by-dev', 'nats', 'nats:lab');
PRAGMA user_version = 1;
