//! The conformance suite: every story is told on SQLite and on PostgreSQL.

mod access;
mod approvals;
mod audit;
mod builds;
mod crowd;
mod deliveries;
mod flow;
mod groups;
mod interleavings;
mod kept;
mod leases;
mod model;
mod order;
mod outbox;
mod polling;
mod queue;
mod reports;
mod schedules;
mod schema;
mod shared;
mod small_queue;
mod stacks;
mod world;

/// A test of one story. Deliveries in every order are one agent's doing, call by call: on one thread, so that no answer of
/// the database waits for another thread to wake up.
macro_rules! story {
    (order $story:ident on $world:path) => {
        #[tokio::test]
        async fn $story() {
            $world(super::order::$story).await;
        }
    };
    ($module:ident $story:ident on $world:path) => {
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $story() {
            $world(super::$module::$story).await;
        }
    };
}

/// Runs every story on both databases.
macro_rules! on_both {
    ($($module:ident: $($story:ident),+;)+) => {
        mod on_sqlite {
            $($(story!($module $story on super::world::on_sqlite);)+)+
        }
        mod on_postgres {
            $($(story!($module $story on super::world::on_postgres);)+)+
        }
    };
}

on_both! {
    access: a_login_link_opens_one_session, a_token_works_until_it_is_revoked, an_agent_comes_in_once_per_code,
        sessions_end_one_by_one_or_together, what_ends_sessions_ends_nothing_else,
        secrets_are_write_only, no_secret_stands_in_the_database, a_removed_agent_gives_its_work_back,
        a_repository_can_be_removed;
    approvals: a_commit_is_approved_for_all_of_its_builds;
    audit: what_people_change_is_written_down, who_comes_in_is_written_down, what_fails_is_not_written_down,
        the_audit_is_read_in_pages_and_goes_with_age;
    builds: a_build_is_listed_and_shown, lists_are_filtered_and_paged, a_build_without_jobs_has_failed,
        failed_jobs_run_again, a_newer_schema_is_refused, a_failed_write_harms_no_neighbour, counters_count,
        old_builds_go_and_what_is_needed_stays;
    crowd: ten_thousand_jobs_are_claimed_once_each, agents_die_in_the_middle;
    deliveries: what_says_several_things_is_kept_in_parts, a_delivery_is_kept_once, a_delivery_is_tried_until_it_is_done, a_delivery_makes_one_build,
        what_an_old_webhook_said_goes;
    flow: a_need_on_one_cell_is_met_by_it, conditions_skip_and_what_follows_runs, forks_get_no_secrets,
        deferred_jobs_become_their_cells, a_matrix_may_be_empty_or_wrong, a_cancelled_placeholder_stays_cancelled,
        outputs_that_cannot_be_kept_fail_the_job, retry_names_what_is_tried_again,
        one_job_runs_again_with_what_it_held_up;
    groups: a_queue_lets_one_build_run, only_the_newest_waits, a_new_build_stops_the_older, a_crowd_shares_a_group,
        whatever_happens_one_build_of_a_group_runs;
    kept: artifacts_have_room_and_expire, caches_are_found_by_scope_and_go_when_unused;
    leases: a_silent_agent_loses_its_job, a_lost_job_is_tried_three_times, nobody_is_lost_after_a_start,
        an_agent_that_calls_keeps_its_job, a_restarted_agent_goes_on, events_are_kept_once, finish_is_reported_twice,
        what_we_broke_is_tried_again;
    model: the_queue_is_as_simple_as_its_model;
    order: up_to_four_deliveries_meet_in_every_order, five_deliveries_meet_in_every_order,
        five_deliveries_two_of_them_the_same_meet_in_every_order, others_come_between_look_and_decision;
    outbox: a_change_of_a_build_is_to_be_told, an_older_build_never_hides_a_newer_one,
        what_a_dead_sender_had_is_sent_again, a_forge_that_is_down_holds_up_only_itself,
        a_pause_that_a_forge_asks_for_is_kept, one_thing_that_fails_holds_up_nothing_else,
        what_is_disconnected_is_told_nothing_more, what_was_told_long_ago_goes;
    polling: a_repository_is_asked_by_one_coordinator, an_answer_is_stored_whole_or_not_at_all,
        a_change_and_an_answer_let_each_other_pass, who_is_not_polled_is_forgotten, ten_thousand_references_are_remembered;
    queue: a_job_runs_and_passes, priority_then_fairness_then_age, labels_choose_the_agent, needs_open_the_way,
        a_failed_need_skips_what_follows, max_parallel_holds_cells, fail_fast_stops_the_other_cells,
        a_cancel_is_immediate_or_delivered, a_waiting_job_says_why, a_draining_agent_takes_nothing,
        memory_counts_beside_slots, writes_wake_others;
    reports: a_part_is_kept_once, new_fixed_and_flaky_are_found, a_grid_over_the_cells, fifty_thousand_tests_of_one_attempt,
        old_reports_go;
    schedules: a_schedule_keeps_its_time, a_time_makes_one_build;
    stacks: a_stack_waits_for_its_agent_and_is_never_anywhere_else, use_renews_a_stack_and_time_ends_it,
        a_silent_agents_stack_can_be_deleted, stacks_are_as_simple_as_their_model;
    schema: rows_of_the_old_schema_mean_the_same, a_schema_recorded_by_place_is_taken_over;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_coordinators_share_one_postgres() {
    world::on_postgres(shared::two_coordinators).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_coordinator_hears_the_first() {
    world::on_postgres(shared::wake_ups_cross).await;
}
