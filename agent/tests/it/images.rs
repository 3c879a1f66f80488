//! Pulls by a real engine.

use std::sync::Arc;

use agent::engine::EngineError;
use bollard::Docker;
use protocol::ids::StreamId;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::registry::Registry;
use crate::stage::{Stage, job, step};
use crate::world::{World, soon};

#[tokio::test(flavor = "multi_thread")]
async fn an_image_that_two_want_at_once_is_pulled_once_and_each_sees_it_come() {
    let world = World::new().await;
    let registry = Registry::start().await;
    let image = format!("{}/app:1", registry.address);
    let (first, second) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let ask = |message: &Arc<Notify>| {
        let (engine, image, message) = (world.engine.clone(), image.clone(), message.clone());
        tokio::spawn(async move {
            engine
                .ensure_image(&image, |progress| {
                    if progress.layers == 1 {
                        message.notify_one();
                    }
                })
                .await
        })
    };
    let one = ask(&first);
    soon(first.notified()).await;
    let other = ask(&second);
    soon(second.notified()).await;
    registry.let_go();

    let one = soon(one).await.unwrap().unwrap();
    let other = soon(other).await.unwrap().unwrap();
    assert_eq!(one.id, other.id);
    assert_eq!(
        (one.cmd.as_slice(), one.tcp_ports.as_slice()),
        (["/hello".to_owned()].as_slice(), [80].as_slice())
    );
    assert_eq!(registry.resolved(), 1, "pulled once");
    world
        .engine
        .ensure_image(&image, |_| panic!("it is here"))
        .await
        .unwrap();

    remove(&image).await;
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_while_an_image_is_pulled_says_so() {
    let stage = Stage::new(1).await;
    let registry = Registry::start().await;
    let image = format!("{}/app:1", registry.address);
    let mut spec = job(vec![step("echo never")]);
    spec.steps[0].image = image.clone();
    let (input, cancel) = (stage.input(spec), CancellationToken::new());
    let (story, ()) = tokio::join!(stage.run_input(input.clone(), cancel.clone()), async {
        stage.said(&input, &StreamId::job(), "pulling image").await;
        cancel.cancel();
    });
    // Not before: on a busy machine the pull might end before the cancellation is seen.
    registry.let_go();
    // Its network may still be under way, too, and is then told behind the image.
    let message = story.message();
    let expected = format!("Cancelled Cancelled: cancelled while the image `{image}` was being pulled");
    assert!(message.starts_with(&expected), "{message}");
    // Its pull goes on for whoever wants it next.
    stage.context.engine.ensure_image(&image, |_| ()).await.unwrap();
    remove(&image).await;
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_that_does_not_exist_is_distinguished_from_one_that_is_refused() {
    let world = World::new().await;
    let registry = Registry::start().await;
    let error = async |name: &str| {
        let image = format!("{}/{name}", registry.address);
        soon(world.engine.ensure_image(&image, |_| ())).await.unwrap_err()
    };
    let missing = error("nope:1").await;
    assert!(matches!(missing, EngineError::ImageNotFound { .. }), "{missing}");
    let missing = error("app:2").await;
    assert!(matches!(missing, EngineError::ImageNotFound { .. }), "{missing}");
    let locked = error("locked:1").await;
    assert!(matches!(locked, EngineError::ImageRefused { .. }), "{locked}");
    assert!(missing.is_users() && locked.is_users());
    world.close().await;
}

async fn remove(image: &str) {
    let docker = Docker::connect_with_unix_defaults().unwrap();
    docker
        .remove_image(image, None::<bollard::query_parameters::RemoveImageOptions>, None)
        .await
        .unwrap();
}
