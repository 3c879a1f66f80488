//! What an agent says of the stacks that it is to have, poll by poll. Separate from the stacks themselves, which people
//! extend and remove: here nobody but the agent speaks.

use protocol::ids::{AgentId, StackId};
use protocol::work::StackReport;

use super::queue::LEASE_US;
use super::{Micros, Store, StoreError, stacks};
use crate::db::{DbError, Row, args};

/// Takes what an agent says that it has: renews the leases of what it is to have, and gives those that it is to remove.
/// What it does not name, though its lease has run out, is not there any more.
///
/// # Errors
/// The database.
pub async fn report(store: &Store, agent: &AgentId, reports: &[StackReport]) -> Result<Vec<StackId>, StoreError> {
    let expected = "select id, epoch, wanted, lease_until from stacks where agent = $1 order by id";
    let (now, mut all_is_well) = (store.now(), true);
    let mut unknown = reports.to_vec();
    for row in store.db.all(expected, args![agent]).await? {
        all_is_well &= Expected::from_row(&row)?.meet(&mut unknown, now) == Meeting::Fresh;
    }
    if all_is_well {
        return Ok(unknown.into_iter().map(|report| report.stack).collect());
    }
    let (agent, mut unknown) = (agent.clone(), reports.to_vec());
    store
        .write(move |tx| {
            Box::pin(async move {
                let expected =
                    "select id, epoch, wanted, lease_until from stacks where agent = $1 order by id for update";
                for row in tx.all(expected, args![&agent]).await? {
                    let expected = Expected::from_row(&row)?;
                    match expected.meet(&mut unknown, now) {
                        Meeting::Fresh | Meeting::Waits => {}
                        Meeting::Renew => {
                            let sql = "update stacks set lease_until = $2 where id = $1";
                            tx.run(sql, args![&expected.id, now + LEASE_US]).await?;
                        }
                        Meeting::Gone => stacks::remove(tx, &expected.id).await?,
                    }
                }
                Ok(unknown.into_iter().map(|report| report.stack).collect())
            })
        })
        .await
}

/// A stack that an agent is to have.
struct Expected {
    id: String,
    epoch: i64,
    is_wanted: bool,
    lease_until: Micros,
}

/// What an agent's report says of a stack that it is to have.
#[derive(Debug, PartialEq, Eq)]
enum Meeting {
    /// It is named, and was a moment ago.
    Fresh,
    /// It is named, and its lease is renewed.
    Renew,
    /// It is not named: a report that was sent before it was made does not name it yet.
    Waits,
    /// It is not there any more.
    Gone,
}

impl Expected {
    fn from_row(row: &Row) -> Result<Expected, DbError> {
        Ok(Expected {
            id: row.get("id")?,
            epoch: row.get("epoch")?,
            is_wanted: row.get::<String>("wanted")? == "running",
            lease_until: row.get("lease_until")?,
        })
    }

    /// Takes the stack out of the reports unless it is to be removed.
    fn meet(&self, reports: &mut Vec<StackReport>, now: Micros) -> Meeting {
        let is_this =
            |report: &StackReport| report.stack.as_str() == self.id && [0, self.epoch].contains(&report.epoch);
        let named = reports.iter().position(is_this);
        match (named, self.is_wanted) {
            (Some(_), false) => Meeting::Waits,
            (Some(place), true) => {
                reports.remove(place);
                match self.lease_until > now + LEASE_US / 2 {
                    true => Meeting::Fresh,
                    false => Meeting::Renew,
                }
            }
            (None, true) if self.lease_until >= now => Meeting::Fresh,
            (None, _) => Meeting::Gone,
        }
    }
}

/// The stacks that an agent is to remove.
///
/// # Errors
/// The database.
pub async fn released(store: &Store, agent: &AgentId) -> Result<Vec<StackId>, StoreError> {
    let sql = "select id from stacks where agent = $1 and wanted = 'deleted' order by id";
    let rows = store.db.all(sql, args![agent]).await?;
    Ok(rows
        .iter()
        .map(|row| row.get("id").map(StackId))
        .collect::<Result<_, _>>()?)
}
