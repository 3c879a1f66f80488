//! The loop of polls: what the coordinator says goes into the work table, and what the table wants is asked for.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use protocol::ids::AttemptId;
use protocol::lease::{LeaseRef, Poll, PollAnswer, Resources};
use protocol::work::{AttemptWork, Work};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::records::EndedAttempt;
use super::shells;
use super::work::{self, AgentContext, WorkNews, WorkStage};
use super::work_table::{Question, WorkTable};
use super::{AgentConfig, Stop, memory};
use crate::coordinator::Backoff;
use crate::coordinator::CallError;
use crate::disk;
use crate::engine::Kept;

/// A poll that is answered with nothing sooner than this was not held; the next one waits.
const HELD_AT_LEAST: Duration = Duration::from_millis(100);

/// The answer to a poll.
struct PollResult {
    ticket: u64,
    asked_at: Instant,
    answer: Result<PollAnswer, CallError>,
}

/// The loop's state.
pub struct PollLoop {
    config: AgentConfig,
    agent: AgentContext,
    work_table: WorkTable,
    kept: BTreeMap<String, Kept>,
    /// For jobs in all, bytes.
    memory: Option<u64>,
    out: FuturesUnordered<BoxFuture<'static, PollResult>>,
    backoff: Backoff,
    /// No poll goes out before.
    not_before: Instant,
    is_away: bool,
    /// The labels that it has instead of those asked for, as far as the log says so.
    other_labels: Option<BTreeMap<String, String>>,
}

impl PollLoop {
    /// `kept`: what was left before a restart, safe from the sweep until it is taken up or abandoned; `stacks`: what of it
    /// is retained.
    pub fn new(
        config: AgentConfig,
        agent: AgentContext,
        work_table: WorkTable,
        (kept, stacks): (BTreeMap<String, Kept>, Vec<EndedAttempt>),
    ) -> PollLoop {
        let mut polls = PollLoop {
            memory: memory(&config),
            config,
            agent,
            work_table,
            kept,
            out: FuturesUnordered::new(),
            backoff: Backoff::default(),
            not_before: Instant::now(),
            is_away: false,
            other_labels: None,
        };
        for EndedAttempt { attempt, memory } in stacks {
            polls.work_table.take_over(&attempt, memory);
            polls.abandon(attempt);
        }
        polls
    }

    /// Ends what is left of an attempt from before a restart; what is a stack stays for its time.
    fn abandon(&self, attempt: AttemptId) {
        let tasks = &self.agent.context.tasks;
        tasks.spawn(work::abandon(self.agent.clone(), attempt));
    }

    /// Polls and works until there is nothing left to do. Errors: the coordinator refuses the token.
    pub async fn run(mut self, mut news: mpsc::UnboundedReceiver<WorkNews>, stop: &Stop) -> anyhow::Result<()> {
        tracing::info!(
            agent.name = self.config.name,
            slots = self.config.slots,
            "ready for work"
        );
        let mut is_stopping = false;
        while !self.work_table.is_done() {
            let may_ask = self.not_before <= Instant::now();
            if may_ask && let Some(question) = self.work_table.ask() {
                self.ask(question);
            }
            tokio::select! {
                Some(answered) = self.out.next() => {
                    if let Err(error) = self.take_answer(answered) {
                        self.agent.context.shutdown.cancel();
                        self.wait_for_work(news).await;
                        return Err(error.into());
                    }
                }
                Some(news) = news.recv() => self.note(&news),
                () = sleep_until(self.not_before), if !may_ask => {}
                () = stop.drain.cancelled(), if !is_stopping => {
                    tracing::info!("finishing what is in hand");
                    is_stopping = true;
                    self.agent.context.retained.leave();
                    self.work_table.drain();
                }
                () = stop.now.cancelled() => {
                    self.agent.context.retained.leave();
                    self.wait_for_work(news).await;
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn ask(&mut self, question: Question) {
        let stacks = self.agent.context.retained.list();
        let resources = question.free_memory.map(|free_memory_bytes| Resources {
            memory_bytes: self.memory.unwrap_or(free_memory_bytes),
            free_memory_bytes,
            free_disk_bytes: disk::free(&self.config.data),
        });
        let hold_secs = if question.held.is_empty() && stacks.is_empty() {
            protocol::POLL_SECS
        } else {
            protocol::RENEW_SECS
        };
        let poll = Poll {
            version: protocol::VERSION,
            capabilities: Vec::new(),
            slots: self.config.slots,
            free_slots: question.free_slots,
            labels: self.config.labels.clone(),
            held: question.held,
            software: env!("CARGO_PKG_VERSION").to_owned(),
            hold_secs: Some(hold_secs),
            resources,
            stacks,
        };
        let (coordinator, ticket) = (self.agent.coordinator.clone(), question.ticket);
        self.out.push(Box::pin(async move {
            let asked_at = Instant::now();
            let answer = coordinator.poll(&poll).await;
            PollResult {
                ticket,
                asked_at,
                answer,
            }
        }));
    }

    /// Takes an answer. Errors: the token is refused.
    fn take_answer(&mut self, answered: PollResult) -> Result<(), CallError> {
        self.work_table.answered(answered.ticket);
        match answered.answer {
            Ok(answer) => {
                if self.is_away {
                    tracing::info!("the coordinator answers again");
                    self.is_away = false;
                }
                let says_nothing = answer.leases.is_empty()
                    && answer.cancel.is_empty()
                    && answer.lost.is_empty()
                    && answer.shells.is_empty()
                    && answer.release.is_empty();
                if says_nothing && answered.asked_at.elapsed() < HELD_AT_LEAST {
                    self.not_before = Instant::now() + self.backoff.next_wait();
                } else {
                    self.backoff = Backoff::default();
                }
                self.act_on(answer);
                Ok(())
            }
            Err(error @ CallError::Unauthorized(_)) => Err(error),
            Err(error) => {
                if !self.is_away {
                    tracing::warn!(%error, "work goes on, polls are tried again");
                    self.is_away = true;
                }
                self.not_before = Instant::now() + self.backoff.next_wait();
                Ok(())
            }
        }
    }

    /// Says once that the coordinator decides about labels.
    fn warn_of_labels(&mut self, labels: Option<BTreeMap<String, String>>) {
        if let Some(labels) = labels
            .as_ref()
            .filter(|labels| self.other_labels.as_ref() != Some(labels))
        {
            let pairs: Vec<String> = labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
            tracing::warn!(
                "this agent was enrolled with the labels [{}], and its --labels are not used: `drover agent label {}` on the \
                 coordinator changes them",
                pairs.join(","),
                self.config.name
            );
        }
        self.other_labels = labels;
    }

    fn act_on(&mut self, mut answer: PollAnswer) {
        self.warn_of_labels(answer.labels.take());
        for lease in answer.leases {
            match lease.work {
                Work::Attempt(work) => self.begin(lease.epoch, *work),
                Work::Stack(stack) => {
                    tracing::warn!(stack.id = %stack.stack, "this agent cannot make stacks of that kind")
                }
            }
        }
        answer.cancel.iter().for_each(|attempt| self.work_table.cancel(attempt));
        for attempt in answer.lost {
            if self.work_table.lose(&attempt) {
                self.abandon(attempt);
            }
        }
        for call in answer.shells {
            self.agent.context.tasks.spawn(shells::open(self.agent.clone(), call));
        }
        let retained = &self.agent.context.retained;
        answer.release.iter().for_each(|stack| retained.release(stack));
        if answer.drain {
            // It may be gone for good after this: nobody would remove what it retains.
            retained.release_all();
            self.work_table.drain();
        }
    }

    fn begin(&mut self, epoch: i64, work: AttemptWork) {
        let held = LeaseRef {
            attempt: work.attempt.clone(),
            epoch,
            resume: false,
        };
        if let Some(signals) = self.work_table.take(held, work.spec.asked_memory()) {
            tracing::info!(attempt.id = %work.attempt, job = work.spec.title(), "leased");
            let tasks = &self.agent.context.tasks;
            tasks.spawn(work::run(self.agent.clone(), epoch, work, signals));
        }
    }

    fn note(&mut self, news: &WorkNews) {
        self.work_table.note(&news.attempt, news.stage);
        if news.stage == WorkStage::Gone {
            self.kept.remove(news.attempt.as_str());
        }
    }

    /// Waits for the work that is being stopped.
    async fn wait_for_work(&mut self, mut news: mpsc::UnboundedReceiver<WorkNews>) {
        self.work_table.drain();
        self.work_table.forget_left();
        while !self.work_table.is_done()
            && let Some(done) = news.recv().await
        {
            self.note(&done);
        }
    }
}
