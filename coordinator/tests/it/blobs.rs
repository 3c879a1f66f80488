//! The blob store's conformance: every story is told on a folder and on an S3 server, a real process on loopback.

use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use axum::body::Body;
use bytes::Bytes;
use coordinator::blobs::{BlobError, BlobStore, browse};
use coordinator::config;
use coordinator::store::{Store, StoreConfig, blobs};
use futures_util::stream;
use object_store::GetRange;

/// The S3 server of this test run; it ends with the process.
fn s3_server() -> &'static str {
    static SERVER: OnceLock<(String, Child)> = OnceLock::new();
    &SERVER.get_or_init(start_s3).0
}

fn start_s3() -> (String, Child) {
    let program = std::env::var("DROVER_TEST_S3_SERVER").unwrap_or_else(|_| "moto_server".into());
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    // The server ends when its input does, and that ends with this process.
    let script = r#""$0" -H 127.0.0.1 -p "$1" >/dev/null 2>&1 & read end; kill $!"#;
    let child = Command::new("sh")
        .args(["-c", script, &program, &port.to_string()])
        .stdin(Stdio::piped())
        .spawn()
        .expect("start a shell");
    let begin = Instant::now();
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(
            begin.elapsed() < Duration::from_secs(60),
            "these tests need an S3 server: install `moto[server]` from PyPI and name its `moto_server` in \
             DROVER_TEST_S3_SERVER (`cargo xtask test` does both)"
        );
        std::thread::sleep(Duration::from_millis(50));
    }
    (format!("http://127.0.0.1:{port}"), child)
}

/// A blob store, and the store of names beside it.
struct World {
    blobs: BlobStore,
    store: Store,
    folder: tempfile::TempDir,
}

impl World {
    async fn open(config: config::Blobs) -> World {
        let folder = tempfile::tempdir().unwrap();
        let names = StoreConfig {
            url: format!("sqlite:{}", folder.path().join("drover.db").display()),
            key_file: folder.path().join("key"),
        };
        World {
            blobs: BlobStore::open(&config, folder.path()).unwrap(),
            store: Store::open(names).await.unwrap(),
            folder,
        }
    }

    async fn on_folder() -> World {
        World::open(config::Blobs::default()).await
    }

    async fn on_s3() -> World {
        let endpoint = tokio::task::spawn_blocking(s3_server).await.unwrap();
        let bucket = format!("drover-{}", uuid::Uuid::now_v7().simple());
        let made = reqwest_put(&format!("{endpoint}/{bucket}")).await;
        assert!(made, "the bucket can be made");
        let folder = tempfile::tempdir().unwrap();
        let credentials = folder.path().join("credentials");
        std::fs::write(&credentials, "aws_access_key_id = test\naws_secret_access_key = test\n").unwrap();
        World::open(config::Blobs {
            url: Some(format!("s3://{bucket}/ci/blobs")),
            endpoint: Some((*endpoint).to_owned()),
            allow_http: true,
            credentials_file: Some(credentials),
            ..config::Blobs::default()
        })
        .await
    }

    async fn keep(&self, bytes: Vec<u8>) -> blobs::Blob {
        let received = self.blobs.receive(Body::from(bytes), 1 << 30).await.unwrap();
        received.settle(&self.store).await.unwrap()
    }
}

async fn reqwest_put(url: &str) -> bool {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let request = reqwest::Client::new().put(url).header(
        "authorization",
        "AWS4-HMAC-SHA256 Credential=test/x/us-east-1/s3/aws4_request",
    );
    request.send().await.is_ok_and(|answer| answer.status().is_success())
}

macro_rules! on_both {
    ($($story:ident),+ $(,)?) => {
        mod on_folder {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $story() {
                super::$story(super::World::on_folder().await).await;
            })+
        }
        mod on_s3 {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $story() {
                super::$story(super::World::on_s3().await).await;
            })+
        }
    };
}

on_both!(
    what_is_kept_is_read_again,
    half_an_upload_leaves_nothing,
    nobody_waits_for_a_doomed_archive_for_ever,
    an_archive_is_looked_into
);

async fn what_is_kept_is_read_again(world: World) {
    // More than one part of a multipart upload.
    let bytes: Vec<u8> = (0..20_000_000_u32).map(|n| (n % 251) as u8).collect();
    let blob = world.keep(bytes.clone()).await;
    assert_eq!(blob.bytes, bytes.len() as u64);
    let again = world.keep(bytes.clone()).await;
    assert_eq!(again, blob, "the same bytes have the same name");
    let opened = world.blobs.read(&blob.sha, None).await.unwrap();
    assert_eq!(
        (opened.size, opened.bytes().await.unwrap() == bytes),
        (blob.bytes, true)
    );
    let part = world
        .blobs
        .read(&blob.sha, Some(GetRange::Bounded(10_000_000..10_000_005)))
        .await
        .unwrap();
    assert_eq!(part.range, 10_000_000..10_000_005);
    assert_eq!(part.bytes().await.unwrap(), bytes[10_000_000..10_000_005]);
    world.blobs.remove(&blob.sha).await.unwrap();
    world.blobs.remove(&blob.sha).await.expect("twice is fine");
    assert!(matches!(
        world.blobs.read(&blob.sha, None).await,
        Err(BlobError::NotFound)
    ));
}

async fn half_an_upload_leaves_nothing(world: World) {
    let parts = [
        Ok(Bytes::from(vec![7; 9_000_000])),
        Err(std::io::Error::other("the agent is gone")),
    ];
    let broken = world
        .blobs
        .receive(Body::from_stream(stream::iter(parts)), 1 << 30)
        .await;
    assert!(matches!(broken, Err(BlobError::BrokenOff(_))));
    let large = world.blobs.receive(Body::from(vec![7; 2_000]), 1_000).await;
    assert!(matches!(large, Err(BlobError::TooLarge(1_000))));
    let exact = world.keep(vec![7; 1_000]).await;
    assert_eq!(exact.bytes, 1_000);
}

async fn nobody_waits_for_a_doomed_archive_for_ever(world: World) {
    let blob = world.keep(b"an archive".to_vec()).await;
    assert_eq!(
        blobs::doom(&world.store, 0).await.unwrap(),
        [""; 0],
        "it was named a moment ago"
    );
    let doomed = blobs::doom(&world.store, i64::MAX).await.unwrap();
    assert_eq!(doomed, std::slice::from_ref(&blob.sha));
    let received = world.blobs.receive(Body::from("an archive"), 100).await.unwrap();
    let (settled, ()) = tokio::join!(received.settle(&world.store), async {
        world.blobs.remove(&blob.sha).await.unwrap();
        blobs::forget(&world.store, &blob.sha).await.unwrap();
    });
    assert_eq!(settled.unwrap(), blob);
    assert_eq!(
        world.blobs.read(&blob.sha, None).await.unwrap().bytes().await.unwrap(),
        b"an archive"
    );
}

async fn an_archive_is_looked_into(world: World) {
    let mut tar = tar::Builder::new(zstd::Encoder::new(Vec::new(), 1).unwrap());
    let long = format!("d/{}", "n".repeat(200));
    for name in ["a", long.as_str()] {
        let mut header = tar::Header::new_gnu();
        header.set_size(name.len() as u64);
        header.set_mode(0o755);
        tar.append_data(&mut header, name, name.as_bytes()).unwrap();
    }
    let blob = world.keep(tar.into_inner().unwrap().finish().unwrap()).await;
    for _ in 0..2 {
        let items = browse::page(&world.blobs, &blob.sha, 0, 10).await.unwrap().items;
        let seen: Vec<(&str, u64, u32)> = items
            .iter()
            .map(|item| (item.name.as_str(), item.size, item.mode))
            .collect();
        assert_eq!(seen, [("a", 1, 0o755), (long.as_str(), 202, 0o755)]);
    }
    let file = browse::file(&world.blobs, &blob.sha, &long).await.unwrap();
    let parts: Vec<Bytes> = futures_util::TryStreamExt::try_collect(file.bytes).await.unwrap();
    assert_eq!(parts.concat(), long.as_bytes());
    assert!(matches!(
        browse::file(&world.blobs, &blob.sha, "b").await,
        Err(BlobError::NotFound)
    ));
    let nonsense = world.keep(b"no archive at all".to_vec()).await;
    assert!(matches!(
        browse::page(&world.blobs, &nonsense.sha, 0, 10).await,
        Err(BlobError::BadArchive(_))
    ));
}

/// An archive of empty files.
fn archive(names: impl Iterator<Item = String>) -> Vec<u8> {
    let mut tar = tar::Builder::new(zstd::Encoder::new(Vec::new(), 1).unwrap());
    for name in names {
        let mut header = tar::Header::new_gnu();
        header.set_size(0);
        tar.append_data(&mut header, name, std::io::empty()).unwrap();
    }
    tar.into_inner().unwrap().finish().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_are_too_long_or_too_many_are_no_list() {
    let world = World::on_folder().await;
    let long = world.keep(archive(["x/".repeat(2_100)].into_iter())).await;
    let Err(BlobError::BadArchive(why)) = browse::page(&world.blobs, &long.sha, 0, 10).await else {
        panic!("a name of 4,200 bytes was taken");
    };
    assert!(why.contains("4096 bytes"), "{why}");
    let folder = "d/".repeat(2_000);
    let many = world.keep(archive((0..17_000).map(|n| format!("{folder}{n}")))).await;
    assert!(many.bytes < 2 << 20, "it is small: {}", many.bytes);
    assert!(matches!(
        browse::page(&world.blobs, &many.sha, 16_990, 10).await,
        Err(BlobError::BadArchive(_))
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_comes_in_pages_and_is_kept_only_while_it_is_small_beside_its_archive() {
    let world = World::on_folder().await;
    let folder = "d/".repeat(1_000);
    let blob = world.keep(archive((0..1_500).map(|n| format!("{folder}{n:04}")))).await;
    for _ in 0..2 {
        let (mut seen, mut after, mut pages) = (Vec::new(), Some(0), 0);
        while let Some(from) = after {
            let page = browse::page(&world.blobs, &blob.sha, from, 400).await.unwrap();
            assert!(page.items.len() <= 400);
            seen.extend(page.items.into_iter().map(|item| item.name));
            (after, pages) = (page.next, pages + 1);
        }
        assert_eq!((seen.len(), pages), (1_500, 4));
        assert!(
            seen.iter()
                .enumerate()
                .all(|(n, name)| name.ends_with(&format!("/{n:04}")))
        );
    }
    let kept = std::fs::read_dir(world.folder.path().join("blobs").join("sha256").join(&blob.sha[..2])).unwrap();
    assert_eq!(kept.count(), 1, "3 MB of names are not kept beside a few kilobytes");
}

/// A file of that many GiB of zeros.
fn zeros(gibibytes: usize) -> Vec<u8> {
    let mut header = tar::Header::new_gnu();
    header.set_path("zeros").unwrap();
    header.set_mode(0o644);
    header.set_size((gibibytes as u64) << 30);
    header.set_cksum();
    let frame = zstd::encode_all(&vec![0; 256 << 20][..], 1).unwrap();
    [
        zstd::encode_all(&header.as_bytes()[..], 1).unwrap(),
        frame.repeat(4 * gibibytes),
    ]
    .concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_ends_with_who_waits_for_it() {
    let world = World::on_folder().await;
    let large = world.keep(zeros(60)).await;
    let small = world.keep(archive(["a".to_owned()].into_iter())).await;
    for _ in 0..8 {
        let page = browse::page(&world.blobs, &large.sha, 0, 10);
        let gone = tokio::time::timeout(Duration::from_millis(100), page).await;
        assert!(gone.is_err(), "60 GiB take longer");
    }
    // All turns are free again: else it is told to come back later.
    let page = browse::page(&world.blobs, &small.sha, 0, 10).await.unwrap();
    assert_eq!(page.items.len(), 1);
}
