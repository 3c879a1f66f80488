//! Storing a new build: once for a delivery, a push or a due time, in its concurrency group, with what it is made from, and
//! with its jobs; all of it in one transaction.

use protocol::api::Approval;
use protocol::ids::DeliveryId;

use super::approvals::{self, Approved};
use super::builds::{Created, NUMBERS, NewBuild};
use super::ended::{self, BuildLock};
use super::groups::{self, Entered, GroupState, Newcomer};
use super::new_jobs::{self, BuildContext};
use super::pushes::{self, Admitted};
use super::{Change, Micros, StoreError, build_status, counters, origins, to_json, to_word};
use crate::db::{Tx, args};

/// A build that is about to be stored.
pub(super) struct Insert {
    pub(super) new: NewBuild,
    pub(super) rerun_of: Option<i64>,
    pub(super) now: Micros,
}

impl Insert {
    pub(super) async fn run(self, tx: &mut Tx) -> Result<Created, StoreError> {
        if let Some(number) = self.made_before(tx).await? {
            return Ok(Created::Known(number));
        }
        super::repositories::must_exist(tx, &self.new.repository).await?;
        let push = self.new.order.push.as_ref();
        let own = match push {
            None => None,
            Some((push, observed)) => match pushes::admit(tx, &self.new.repository, push, observed).await? {
                Admitted::Same(number) => return Ok(Created::Known(number)),
                Admitted::Moved => return Ok(Created::Moved),
                Admitted::Own(own) => Some(own),
            },
        };
        let number = match self.new.facts.build {
            Some(number) => number,
            None => counters::next(tx, NUMBERS).await?,
        };
        let wanted = self.new.concurrency.as_ref().filter(|_| !self.new.jobs.is_empty());
        let group = match wanted {
            Some(wanted) => Some(groups::lock(tx, self.new.repository.as_str(), &wanted.group).await?),
            None => None,
        };
        let approval = approvals::of_new(tx, &self.new).await?;
        self.row(tx, number, approval.as_ref()).await?;
        build_status::insert(tx, number).await?;
        match (&self.new.files, self.rerun_of) {
            (Some(files), _) => origins::keep(tx, number, (&self.new.facts, files)).await?,
            (None, Some(first)) => origins::inherit(tx, number, first).await?,
            (None, None) => {}
        }
        if let (Some(own), Some((push, _))) = (&own, push) {
            own.keep(tx, &self.new.repository, (push, Some(number)), self.now)
                .await?;
        }
        let entered = match (&group, wanted) {
            (Some(group), Some(wanted)) => {
                let newcomer = Newcomer {
                    number,
                    wanted,
                    reference: &self.new.facts.reference,
                    at: self.asked_at(),
                    placed: own.map(|own| own.placed),
                };
                newcomer.enter(tx, group, self.now).await?
            }
            _ => Entered::In(GroupState::Running),
        };
        let context = BuildContext {
            build: number,
            repository: &self.new.repository,
            trusted: self.new.trust.is_trusted(),
            grouped: group.is_some(),
            waits: entered != Entered::In(GroupState::Running),
            unapproved: approval.is_some_and(|approval| approval.state == Approval::Needed),
            now: self.now,
        };
        let over = new_jobs::insert(tx, &context, &self.new.jobs).await?;
        tx.notify(Change::Build(number));
        // Nobody else sees the new build yet: that is as good as a lock.
        let lock = BuildLock { number, group };
        ended::propagate(tx, &lock, over, self.now).await?;
        if let Entered::Superseded(by) = entered {
            ended::cancel_open(tx, &lock, &format!("superseded by #{by}"), self.now).await?;
        }
        Ok(Created::New(number))
    }

    fn asked_at(&self) -> Micros {
        self.new.order.at.unwrap_or(self.now)
    }

    /// The build of the same delivery or due time. The lock makes a second processor of the same one wait, and then
    /// see the first one's build.
    async fn made_before(&self, tx: &mut Tx) -> Result<Option<i64>, StoreError> {
        let mut found = None;
        if let Some(delivery) = &self.new.delivery {
            tx.first("select id from deliveries where id = $1 for update", args![delivery])
                .await?;
            let sql = "select number from builds where delivery = $1";
            found = tx.first(sql, args![delivery]).await?;
        }
        if let Some(due) = &self.new.due {
            tx.first(
                "select id from repositories where id = $1 for update",
                args![&self.new.repository],
            )
            .await?;
            found = tx.first("select number from builds where due = $1", args![due]).await?;
        }
        Ok(found.map(|row| row.get("number")).transpose()?)
    }

    async fn row(&self, tx: &mut Tx, number: i64, approval: Option<&Approved>) -> Result<(), StoreError> {
        let (new, facts) = (&self.new, &self.new.facts);
        tx.run(
            "insert into builds (number, repository, delivery, event, branch, tag, reference, sha, title, author,
             trust, diagnostics, message, rerun_of, created_at, base, pull_request, inputs, due,
             ordered_at, cache_scope, approval, approved_by)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22,
             $23)",
            args![
                number,
                &new.repository,
                new.delivery.as_ref().map(DeliveryId::as_str),
                &facts.event,
                &facts.branch,
                &facts.tag,
                &facts.reference,
                &facts.sha,
                facts.title.as_deref().unwrap_or_default(),
                facts.author.as_deref().unwrap_or_default(),
                to_word(&new.trust),
                to_json(&new.diagnostics),
                &new.message,
                self.rerun_of,
                self.now,
                &facts.base,
                facts.pull_request,
                to_json(&facts.inputs),
                &new.due,
                self.asked_at(),
                &new.cache_scope,
                approval.map(|approval| to_word(&approval.state)),
                approval.and_then(|approval| approval.by.as_deref())
            ],
        )
        .await?;
        Ok(())
    }
}
