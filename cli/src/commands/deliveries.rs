//! `drover delivery`: webhooks as they came, what they mean, and what came of them.

use protocol::api::Delivery;
use serde_json::{Value, json};

use super::show;
use crate::args;
use crate::client::{Client, segment};
use crate::exit::Exit;
use crate::render;

/// `drover delivery …`
pub async fn delivery(client: &Client, delivery: &args::Delivery) -> anyhow::Result<Exit> {
    match delivery {
        args::Delivery::Ls {
            repository,
            limit,
            json,
        } => {
            let path = format!("/repositories/{}/deliveries?limit={limit}", segment(repository));
            let answer: Value = client.read(&path).await?;
            show(answer, *json, |deliveries: Vec<Delivery>| {
                render::deliveries::list(&deliveries)
            })
        }
        args::Delivery::Show { id, json } => {
            let answer: Value = client.read(&format!("/deliveries/{}", segment(id))).await?;
            show(answer, *json, |detail| render::deliveries::detail(&detail))
        }
        args::Delivery::Redeliver { id } => {
            let path = format!("/deliveries/{}/redeliver", segment(id));
            let again: Delivery = client.post(&path, &json!({})).await?;
            anstream::println!("{}", again.id);
            Ok(Exit::Passed)
        }
    }
}
