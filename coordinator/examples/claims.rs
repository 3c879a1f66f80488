//! Claims per second: `cargo run --release -p coordinator --example claims -- sqlite://FILE | postgres://…`. Fifty
//! simulated agents claim and end 10,000 jobs; prints one JSON object, which `cargo xtask bench` reads. The database
//! should be empty and is used up.

use anyhow::Context;
use coordinator::store::testing::{Crowd, claim_all};
use coordinator::store::{Store, StoreConfig};

const JOBS: usize = 10_000;
const AGENTS: usize = 50;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let url = std::env::args()
        .nth(1)
        .context("name a database: sqlite://FILE or postgres://…")?;
    let folder = tempfile::tempdir().context("make a folder")?;
    let config = StoreConfig {
        url,
        key_file: folder.path().join("secrets.key"),
    };
    let store = Store::open(config).await.context("open the store")?;
    let crowd = Crowd {
        jobs: JOBS,
        agents: AGENTS,
    };
    let measured = claim_all(&store, crowd).await.context("claim every job")?;
    store.close().await;
    let report = serde_json::json!({
        "per_second": measured.claims_per_second(),
        "jobs": JOBS,
        "agents": AGENTS,
        "claimed": measured.claimed.len(),
        "seconds": measured.took.as_secs_f64(),
    });
    println!("{report}");
    Ok(())
}
