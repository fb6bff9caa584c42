-- The store, first version. Its twin is migrations/postgres/0001_store.sql: same number, same name, same
-- tables. Never edit an applied file: write the next one.
--
-- Times are milliseconds since 1970 (UTC). Columns that end in _hash or are called hash identify content.
-- Columns `body`, `detail`, `error` and `grader_versions` hold JSON text. Free text is stored as it came,
-- NUL characters included.

-- A run: the groups a trainer kept under one name. Made by its first group.
create table run (
    run_id integer primary key autoincrement,
    name text not null,
    created_at integer not null,
    -- The last append.
    updated_at integer not null,
    -- Set when deletion begins: from then on nobody sees the run, while its groups go in small transactions.
    deleted_at integer,
    -- What the groups add up to, kept by every append, so that listing runs does not read their groups.
    n_groups integer not null default 0,
    n_completions integer not null default 0,
    -- Completions that have a reward; the others could not be judged.
    n_rewarded integer not null default 0,
    reward_sum real not null default 0,
    -- The highest step seen; -1 for none.
    last_step integer not null default -1
) strict;

create unique index run_name on run (name) where deleted_at is null;

-- A rubric that judged something, once by its hash. Never deleted: rubrics are few and small.
create table rubric (
    rubric_id integer primary key autoincrement,
    hash text not null unique,
    -- What the first request that used it called it.
    name text,
    body text not null,
    created_at integer not null
) strict;

-- A rubric kept under a name for later requests. Changing it does not change what `rubric` says of the past.
create table stored_rubric (
    name text primary key,
    body text not null,
    created_at integer not null,
    updated_at integer not null
) strict;

-- A task, once by the SHA-256 of its JSON: epochs repeat tasks, and a task's tests can be large.
create table task (
    task_id integer primary key autoincrement,
    hash blob not null unique,
    body text not null
) strict;

-- The completions of one task that were scored together, with what they add up to: metrics of a step read
-- groups, never completions.
create table "group" (
    group_id integer primary key autoincrement,
    run_id integer not null references run (run_id),
    -- The training step; -1 for none.
    step integer not null,
    task_id integer not null references task (task_id),
    rubric_id integer not null references rubric (rubric_id),
    created_at integer not null,
    n_completions integer not null,
    n_rewarded integer not null,
    -- Null when no completion has a reward.
    reward_mean real,
    -- Sum of squared differences from the mean.
    reward_m2 real not null,
    reward_min real,
    reward_max real,
    -- Right: the rubric's first component scored at least 1. Wrong: it scored less. Counted where the number
    -- of tokens is known.
    n_right_counted integer not null,
    right_tokens integer not null,
    n_wrong_counted integer not null,
    wrong_tokens integer not null,
    reference_hash text not null,
    -- {"math": 3, ...}: the version of each grader that judged.
    grader_versions text not null,
    -- The caller's name for the group.
    caller_id text
) strict;

create index group_run_step on "group" (run_id, step, group_id);
create index group_run_group on "group" (run_id, group_id);
create index group_run_task on "group" (run_id, task_id);
create index group_task on "group" (task_id);

-- What one component adds up to over a group.
create table group_component (
    group_id integer not null references "group" (group_id) on delete cascade,
    -- Its place in the rubric, from 0.
    position integer not null,
    name text not null,
    n_scored integer not null,
    score_sum real not null,
    primary key (group_id, position)
) strict, without rowid;

-- One completion and its reward. The text comes last, so that reading rewards does not read texts.
create table completion (
    completion_id integer primary key autoincrement,
    group_id integer not null references "group" (group_id) on delete cascade,
    -- Its place in the group, from 0.
    position integer not null,
    n_bytes integer not null,
    n_tokens integer,
    -- Null when the judge failed; `error` says why.
    reward real,
    advantage real,
    -- {"component": ..., "kind": ..., "message": ...}
    error text,
    finish_reason text,
    -- The caller's name for the completion.
    caller_id text,
    text text not null
) strict;

create unique index completion_group on completion (group_id, position);

-- One component's part in a reward: a verdict (reason, perhaps a score, detail) or an error.
create table component (
    completion_id integer not null references completion (completion_id) on delete cascade,
    position integer not null,
    name text not null,
    weight real not null,
    -- Null when the grader abstained or failed.
    score real,
    -- The verdict's reason; null when the grader failed.
    reason text,
    -- {"kind": ..., "message": ...} when the grader failed.
    error text,
    -- Null for a verdict without detail.
    detail text,
    primary key (completion_id, position)
) strict, without rowid;

-- A key for the HTTP interface. Only its hash is kept.
create table api_key (
    api_key_id integer primary key autoincrement,
    name text not null,
    hash blob not null unique,
    created_at integer not null,
    -- To the minute.
    last_used_at integer,
    revoked_at integer
) strict;

-- Something that became true of a run and stays so, such as a schedule's condition that was once met.
create table latch (
    run_id integer not null references run (run_id) on delete cascade,
    name text not null,
    created_at integer not null,
    primary key (run_id, name)
) strict, without rowid;
