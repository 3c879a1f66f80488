-- Test reports. A test is a suite and a name in a repository; its id is their hash, so that a hundred thousand results
-- are written without reading. Results are compared within one cell (a job's title), never across cells.

create table tests (
    id bigint primary key, -- 63 bits of SHA-256
    repository text not null,
    suite text not null,
    name text not null,
    file text,
    mean_us bigint not null, -- of its newest runs, the newest counting most; -1: it never ran
    seen_at bigint not null
);
create index tests_slowest on tests (repository, mean_us);
create index tests_age on tests (seen_at);

create table test_runs (
    attempt text primary key references attempts (id),
    run bigint not null unique, -- grows
    repository text not null, -- of the build
    build bigint not null,
    job text not null,
    cell text not null, -- the job's title
    branch text, -- of the build
    sha text not null, -- of the build
    chunks bigint not null, -- the next one that is missing
    complete bigint not null,
    failed bigint not null,
    flaky bigint not null,
    passed bigint not null,
    skipped bigint not null,
    duration_us bigint not null,
    problems text not null, -- JSON
    at bigint not null
);
create index test_runs_build on test_runs (build);
create index test_runs_cell on test_runs (repository, cell, branch, build) where complete = 1;
create index test_runs_commit on test_runs (repository, sha, cell);
create index test_runs_age on test_runs (at);

create table test_results (
    run bigint not null references test_runs (run),
    place bigint not null, -- in the reports, from 0
    test bigint not null,
    status text not null check (status in ('failed', 'flaky', 'passed', 'skipped')),
    duration_us bigint not null,
    message text,
    primary key (run, place)
);
create index test_results_history on test_results (test, run);
create index test_results_bad on test_results (run, status, place) where status in ('failed', 'flaky');

-- Passed and failed at one commit in one cell.
create table flaky_tests (
    test bigint not null,
    cell text not null,
    sha text not null,
    repository text not null,
    build bigint not null, -- where it was seen last
    at bigint not null,
    primary key (test, cell, sha)
);
create index flaky_tests_repository on flaky_tests (repository, at);
