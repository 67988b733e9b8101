CREATE TABLE channel (
    task_id TEXT NOT NULL, channel TEXT NOT NULL,
    epoch INTEGER NOT NULL, resume_kind TEXT NOT NULL, resume_ordinal TEXT NOT NULL, incarnation TEXT NOT NULL,
    tick TEXT NOT NULL,
    PRIMARY KEY (task_id, channel)
  ) STRICT;
INSERT INTO channel VALUES ('recorded', 'lab-rootcoord-dml_0', 2, 'at', '21', '2026-11-23T06:00:00.123456789Z', '470658248950677515');
INSERT INTO channel VALUES ('recorded', 'lab-rootcoord-dml_1', 2, 'after', '-1', 'new', '0');
CREATE TABLE collection (
    task_id TEXT NOT NULL, collection_id TEXT NOT NULL,
    database TEXT NOT NULL, name TEXT NOT NULL, create_tick TEXT NOT NULL, drop_tick TEXT,
    phase TEXT NOT NULL, target_id TEXT, schema BLOB NOT NULL, shard_count INTEGER NOT NULL,
    consistency_level INTEGER NOT NULL, properties TEXT NOT NULL, partition_key_count INTEGER NOT NULL,
    vchannels TEXT NOT NULL, operations_until TEXT NOT NULL, copy TEXT NOT NULL DEFAULT 'none'
    CHECK (copy IN ('none', 'due', 'copying', 'copied', 'joined')), target_create_tick TEXT, doubt TEXT, is_recopy INTEGER NOT NULL DEFAULT 0, renaming_to TEXT,
    PRIMARY KEY (task_id, collection_id)
  ) STRICT;
INSERT INTO collection VALUES ('recorded', '470658247834468382', 'shop', 'orders ü', '470658248950677509', NULL, 'created', '9007199254740993', X'0001FEFF', 2, 2, '[{"key":"collection.ttl.seconds","value":"3600"}]', 0, '["lab-rootcoord-dml_0_470658247834468382v0","lab-rootcoord-dml_1_470658247834468382v1"]', '-1', 'joined', '470658248950677609', '{"code":"targetChanged","message":"The target was put back."}', 0, NULL);
INSERT INTO collection VALUES ('recorded', '470658247834468390', 'shop', 'copied', '470658248950677509', NULL, 'pending', NULL, X'0001FEFF', 2, 2, '[{"key":"collection.ttl.seconds","value":"3600"}]', 0, '["lab-rootcoord-dml_0_470658247834468382v0","lab-rootcoord-dml_1_470658247834468382v1"]', '-1', 'copying', NULL, NULL, 0, NULL);
CREATE TABLE connection (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    parts TEXT NOT NULL,
    secrets BLOB NOT NULL,
    is_lab INTEGER NOT NULL
  ) STRICT;
INSERT INTO connection VALUES ('from', 'Cluster from', '{"milvus":{"address":"127.0.0.1:19530"}}', X'01E4728EF129EC4CD99C5FE9105714DD021C2A77796FC1C7D36DB797D00E94A342C662271E233FCDB7A25D16AFD2455FA2A37017', 0);
INSERT INTO connection VALUES ('to', 'Cluster to', '{"milvus":{"address":"127.0.0.1:19530"}}', X'01B2E5A271BAF7F08B314A32CF832FB26CB403D577E1088644487F21DF4C99A2997DDE61432CBC58DF7FC8CD3E6761511C9E11B9', 1);
CREATE TABLE copy_load (
    task_id TEXT NOT NULL REFERENCES task (task_id) ON DELETE CASCADE,
    collection_id TEXT NOT NULL,
    side TEXT NOT NULL CHECK (side IN ('source', 'target')),
    loaded TEXT NOT NULL,
    PRIMARY KEY (task_id, collection_id, side)
  ) STRICT;
CREATE TABLE copy_progress (
    task_id TEXT NOT NULL REFERENCES task (task_id) ON DELETE CASCADE,
    collection_id TEXT NOT NULL,
    partition TEXT NOT NULL,
    key_type TEXT NOT NULL CHECK (key_type IN ('int64', 'varchar')),
    confirmed_key TEXT,
    intent_key TEXT,
    is_done INTEGER NOT NULL,
    row_count TEXT NOT NULL,
    doubled_row_count TEXT NOT NULL, deleted_row_count TEXT NOT NULL DEFAULT '0',
    PRIMARY KEY (task_id, collection_id, partition)
  ) STRICT;
INSERT INTO copy_progress VALUES ('recorded', '470658247834468390', '_default', 'int64', '-5', '4611686018427387904', 0, '7', '1', '0');
INSERT INTO copy_progress VALUES ('recorded', '470658247834468390', 'ü', 'varchar', NULL, 'o''clock', 0, '7', '1', '0');
CREATE TABLE dropped_partition (
    task_id TEXT NOT NULL, collection_id TEXT NOT NULL, partition_id TEXT NOT NULL,
    PRIMARY KEY (task_id, collection_id, partition_id)
  ) STRICT;
INSERT INTO dropped_partition VALUES ('recorded', '470658247834468382', '470658247834468400');
CREATE TABLE gap (
    task_id TEXT NOT NULL REFERENCES task (task_id) ON DELETE CASCADE,
    vchannel TEXT NOT NULL,
    from_ordinal TEXT NOT NULL,
    gap TEXT NOT NULL,
    PRIMARY KEY (task_id, vchannel, from_ordinal)
  ) STRICT;
CREATE TABLE join_certificate (
    task_id TEXT NOT NULL REFERENCES task (task_id) ON DELETE CASCADE,
    collection_id TEXT NOT NULL,
    certificate TEXT NOT NULL,
    PRIMARY KEY (task_id, collection_id)
  ) STRICT;
INSERT INTO join_certificate VALUES ('recorded', '470658247834468382', '{"collectionId":"470658247834468382","database":"shop","collection":"orders ü","rowsCopied":"7","sourceDoubles":"1","copyBegan":1795440000000,"copyEnded":1795440001000,"joined":1795440002000,"shards":[]}');
CREATE TABLE known_import (
    task_id TEXT NOT NULL REFERENCES task (task_id) ON DELETE CASCADE,
    import_id TEXT NOT NULL,
    collection_id TEXT NOT NULL,
    is_left_out INTEGER NOT NULL,
    PRIMARY KEY (task_id, import_id)
  ) STRICT;
INSERT INTO known_import VALUES ('recorded', '470670978906587188', '470658247834468382', 0);
INSERT INTO known_import VALUES ('recorded', '470670978906787276', '470658247834468382', 1);
CREATE TABLE made_alias (
    task_id TEXT NOT NULL REFERENCES task (task_id) ON DELETE CASCADE,
    database TEXT NOT NULL,
    alias TEXT NOT NULL,
    collection_id TEXT NOT NULL,
    PRIMARY KEY (task_id, database, alias)
  ) STRICT;
CREATE TABLE made_database (
    task_id TEXT NOT NULL, name TEXT NOT NULL,
    PRIMARY KEY (task_id, name)
  ) STRICT;
INSERT INTO made_database VALUES ('recorded', 'shop');
CREATE TABLE operation_event (
    task_id TEXT NOT NULL REFERENCES task (task_id) ON DELETE CASCADE,
    sequence INTEGER PRIMARY KEY,
    event_id TEXT,
    collection_id TEXT NOT NULL,
    outcome TEXT NOT NULL,
    decision TEXT CHECK (decision IN ('apply', 'skip')),
    event TEXT NOT NULL,
    UNIQUE (task_id, event_id)
  ) STRICT;
INSERT INTO operation_event VALUES ('recorded', 1, NULL, '470658247834468382', 'applied', NULL, '{"tick":"470658248950677509","source":"log","database":"shop","collection":{"id":"470658247834468382","name":"orders ü"},"at":1795440000500,"operation":"createIndex","outcome":"applied"}');
INSERT INTO operation_event VALUES ('recorded', 2, 'log/7', '470658247834468382', 'waiting', 'skip', '{"tick":"470658248950677509","source":"log","database":"shop","collection":{"id":"470658247834468382","name":"orders ü"},"id":"log/7","at":1,"operation":"dropPartition","outcome":"waiting"}');
INSERT INTO operation_event VALUES ('recorded', 3, NULL, '', 'failed', NULL, '{"tick":"470658248950677509","source":"log","database":"shop","at":2,"operation":"alterDatabase","outcome":"failed","reason":"No such database."}');
CREATE TABLE protection (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    source_id TEXT NOT NULL REFERENCES connection (id),
    target_id TEXT NOT NULL REFERENCES connection (id),
    desired TEXT NOT NULL CHECK (desired IN ('running', 'paused')),
    created_at INTEGER NOT NULL,
    paused_at INTEGER,
    last_status TEXT
  , start TEXT, on_gap TEXT CHECK (on_gap IN ('hold', 'copy')), copy_budget TEXT, selection TEXT, mapping TEXT, operations TEXT) STRICT;
INSERT INTO protection VALUES ('recorded', 'Shop', 'from', 'to', 'paused', 1795440000000, 1795440004000, NULL, '{"kind":"copy","mayLoad":true}', NULL, NULL, '{"include":[{"database":"shop","collection":"*"}],"exclude":[],"later":true}', '{"rules":[],"databasePrefix":"","databaseSuffix":"","collectionPrefix":"dr_","collectionSuffix":""}', '{"policies":{"dropCollection":"ask"},"replicateRights":true,"overrides":{"replicaNumber":2}}');
CREATE TABLE quarantined (
    task_id TEXT NOT NULL REFERENCES task (task_id) ON DELETE CASCADE,
    record_id TEXT NOT NULL,
    collection_id TEXT NOT NULL,
    record TEXT NOT NULL,
    decision TEXT,
    bytes BLOB NOT NULL,
    PRIMARY KEY (task_id, record_id)
  ) STRICT;
CREATE TABLE seen_database (
    task_id TEXT NOT NULL REFERENCES task (task_id) ON DELETE CASCADE,
    source_id TEXT NOT NULL,
    name TEXT NOT NULL,
    PRIMARY KEY (task_id, source_id)
  ) STRICT;
INSERT INTO seen_database VALUES ('recorded', '470670978906787277', 'shop');
CREATE TABLE session (
    digest TEXT PRIMARY KEY,
    created_at INTEGER NOT NULL,
    used_at INTEGER NOT NULL
  ) STRICT;
INSERT INTO session VALUES ('d1', 1795440000000, 1795440001000);
CREATE TABLE setting (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
INSERT INTO setting VALUES ('lab', 'running');
CREATE TABLE shard (
    task_id TEXT NOT NULL, vchannel TEXT NOT NULL, collection_id TEXT NOT NULL, channel TEXT NOT NULL,
    epoch INTEGER NOT NULL, resume_kind TEXT NOT NULL, resume_ordinal TEXT NOT NULL, incarnation TEXT NOT NULL,
    tick TEXT NOT NULL, intent TEXT,
    PRIMARY KEY (task_id, vchannel)
  ) STRICT;
INSERT INTO shard VALUES ('recorded', 'lab-rootcoord-dml_0_470658247834468382v0', '470658247834468382', 'lab-rootcoord-dml_0', 2, 'at', '20', '2026-11-23T06:00:00.123456789Z', '470658248950677514', '512');
INSERT INTO shard VALUES ('recorded', 'lab-rootcoord-dml_1_470658247834468382v1', '470658247834468382', 'lab-rootcoord-dml_1', 2, 'at', '1', '2026-11-23T06:00:00.123456789Z', '470658248950677508', NULL);
INSERT INTO shard VALUES ('recorded', 'lab-rootcoord-dml_0_470658247834468390v0', '470658247834468390', 'lab-rootcoord-dml_0', 2, 'at', '30', '2026-11-23T06:00:00.123456789Z', '470658248950677518', '-1');
CREATE TABLE task (
    task_id TEXT PRIMARY KEY,
    epoch INTEGER NOT NULL,
    etcd_cluster_id TEXT NOT NULL,
    root_path TEXT NOT NULL,
    wal_kind TEXT NOT NULL,
    wal_identity TEXT NOT NULL
  , writes_until INTEGER NOT NULL DEFAULT 0, run TEXT, marker TEXT, scope TEXT NOT NULL DEFAULT '{}') STRICT;
INSERT INTO task VALUES ('recorded', 2, '14841639068965178418', 'by-dev', 'nats', 'nats:lab', 1795440003000, '{"id":"run-1","host":"here","folder":"/data","pid":7,"began":1795440000000}', '{"id":"470658247834468999","createTick":"470658248950677509","sent":"12","confirmed":"11","runIds":["run-1"]}', '{"owner":"4c0f6a0e-5a0c-4f0e-9d7b-1f5f2f1c9a10","marker":"recorded","selection":{"include":[{"database":"shop","collection":"*"}],"exclude":[],"later":true},"mapping":{"rules":[],"databasePrefix":"","databaseSuffix":"","collectionPrefix":"dr_","collectionSuffix":""}}');
PRAGMA user_version = 5;
