//! The images that we make behave like the official ones where a job can tell: what a first start does in which order,
//! which variables it takes, who may run it. Real containers; apart from the crates that use the images, because a
//! mistake here would look like one of theirs.
#![expect(clippy::unwrap_used, reason = "in tests a panic is the report")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Long enough that only a hang reaches it.
const PATIENCE: Duration = Duration::from_secs(120);
const POSTGRES: [&str; 3] = ["postgres:13", "postgres:15", "postgres:17"];
const MARIADB: [&str; 3] = ["mariadb:10.5", "mariadb:10.11", "mariadb:11.8"];
/// Ends badly, and with it the first start, when somebody answers on the port.
const NOBODY_LISTENS: &str = "if (exec 3<>/dev/tcp/127.0.0.1/$PORT) 2>/dev/null; then echo TCP is open; exit 1; fi\n";

/// A container that goes with its test.
struct Container {
    id: String,
    _init: TempDir,
}

impl Container {
    /// Starts `docker run OPTIONS.. IMAGE COMMAND..` with these files as init scripts.
    fn start(options: &[&str], scripts: &[(&str, &str)]) -> Container {
        let init = tempfile::tempdir().unwrap();
        fs::set_permissions(init.path(), PermissionsExt::from_mode(0o755)).unwrap();
        for (name, text) in scripts {
            fs::write(init.path().join(name), text).unwrap();
        }
        let volume = format!("{}:/docker-entrypoint-initdb.d:ro", init.path().display());
        let run = ["run", "--detach", "--label", "drover.test=images", "--volume", &volume];
        let started = docker(&[&run[..], options].concat());
        assert!(started.status.success(), "{options:?}: {}", text(&started));
        Container {
            id: String::from_utf8(started.stdout).unwrap().trim().to_owned(),
            _init: init,
        }
    }

    /// Waits until the command succeeds in the container; what it printed.
    fn until(&self, command: &[&str]) -> String {
        let begin = Instant::now();
        loop {
            let done = docker(&[&["exec", &self.id], command].concat());
            if done.status.success() {
                return String::from_utf8(done.stdout).unwrap().trim().to_owned();
            }
            let runs = docker(&["inspect", "--format", "{{.State.Running}}", &self.id]);
            let hangs = begin.elapsed() > PATIENCE || text(&runs).trim() != "true";
            assert!(!hangs, "{command:?}: {}{}", text(&done), self.log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn log(&self) -> String {
        text(&docker(&["logs", &self.id]))
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        docker(&["rm", "--force", "--volumes", &self.id]);
    }
}

fn docker(arguments: &[&str]) -> Output {
    Command::new("docker").args(arguments).output().unwrap()
}

/// What it printed, on either stream.
fn text(output: &Output) -> String {
    [&output.stdout[..], &output.stderr]
        .concat()
        .iter()
        .map(|&byte| char::from(byte))
        .collect()
}

/// Runs it to its end: the exit code and all it printed.
fn run(arguments: &[&str]) -> (Option<i32>, String) {
    let run = ["run", "--rm", "--label", "drover.test=images", "--network", "none"];
    let done = docker(&[&run[..], arguments].concat());
    (done.status.code(), text(&done))
}

/// `psql` over TCP, as a step uses it.
fn psql<'a>(user: &'a str, database: &'a str, sql: &'a str) -> [&'a str; 9] {
    ["psql", "-h", "127.0.0.1", "-U", user, "-d", database, "-Atc", sql]
}

/// `mariadb` over TCP.
fn mariadb<'a>(user: &'a str, sql: &'a str) -> [&'a str; 7] {
    ["mariadb", "-h", "127.0.0.1", "-u", user, "-Ne", sql]
}

#[test]
fn postgresql_listens_on_its_socket_alone_until_the_init_scripts_are_done() {
    let scripts = [
        ("10-alone.sh", &NOBODY_LISTENS.replace("$PORT", "5432")[..]),
        // Sourced by the shell that the official image has.
        (
            "20-table.sh",
            "if [[ $POSTGRES_DB == shop ]]; then \"${psql[@]}\" -c 'create table widgets (id int)'; fi\n",
        ),
        ("30-rows.sql", "insert into widgets values (1), (2);\n"),
        ("40-alone.sh", &NOBODY_LISTENS.replace("$PORT", "5432")),
        ("50-note.txt", "not a script"),
    ];
    for image in POSTGRES {
        let options = [
            "-e",
            "POSTGRES_PASSWORD=secret",
            "-e",
            "PGPASSWORD=secret",
            "-e",
            "POSTGRES_DB=shop",
            image,
        ];
        let container = Container::start(&options, &scripts);
        let rows = container.until(&psql("postgres", "shop", "select count(*) from widgets"));
        assert_eq!(rows, "2", "{image}");
        assert!(
            container
                .log()
                .contains("ignoring /docker-entrypoint-initdb.d/50-note.txt")
        );
    }
}

#[test]
fn mariadb_listens_on_its_socket_alone_until_the_init_scripts_are_done() {
    let scripts = [
        ("10-alone.sh", &NOBODY_LISTENS.replace("$PORT", "3306")[..]),
        ("20-table.sql", "create table widgets (id int);\n"),
        (
            "30-rows.sh",
            "docker_process_sql <<<'insert into widgets values (1), (2)'\n",
        ),
        ("40-alone.sh", &NOBODY_LISTENS.replace("$PORT", "3306")),
    ];
    for image in MARIADB {
        let options = [
            "-e",
            "MARIADB_ROOT_PASSWORD=secret",
            "-e",
            "MYSQL_PWD=secret",
            "-e",
            "MYSQL_DATABASE=shop",
            image,
        ];
        let container = Container::start(&options, &scripts);
        let rows = container.until(&mariadb("root", "select count(*) from shop.widgets"));
        assert_eq!(rows, "2", "{image}");
    }
}

#[test]
fn the_init_server_runs_without_init_scripts_too() {
    let postgres = Container::start(&["-e", "POSTGRES_HOST_AUTH_METHOD=trust", "postgres:17"], &[]);
    postgres.until(&psql("postgres", "postgres", "select 1"));
    let starts = postgres
        .log()
        .matches("database system is ready to accept connections")
        .count();
    assert_eq!(starts, 2, "{}", postgres.log());
    let mariadb_server = Container::start(&["-e", "MARIADB_ALLOW_EMPTY_ROOT_PASSWORD=1", "mariadb:11.8"], &[]);
    mariadb_server.until(&mariadb("root", "select 1"));
    let log = mariadb_server.log();
    let first = log.find("port: 0").expect("a server without a port");
    assert!(log[first..].contains("port: 3306"), "{log}");
}

#[test]
fn a_first_start_that_nobody_can_log_into_is_refused() {
    for (image, said) in [
        ("postgres:17", "superuser password is not specified"),
        ("mariadb:11.8", "password option is not specified"),
    ] {
        let (code, printed) = run(&[image]);
        assert_eq!(code, Some(1));
        assert!(printed.contains(said), "{printed}");
    }
    let both = [
        "-e",
        "POSTGRES_PASSWORD=a",
        "-e",
        "POSTGRES_PASSWORD_FILE=/etc/hostname",
        "postgres:17",
    ];
    let (code, printed) = run(&both);
    assert_eq!(code, Some(1));
    assert!(
        printed.contains("both POSTGRES_PASSWORD and POSTGRES_PASSWORD_FILE are set"),
        "{printed}"
    );
    let both = [
        "-e",
        "MYSQL_PASSWORD=a",
        "-e",
        "MYSQL_PASSWORD_FILE=/etc/hostname",
        "mariadb:11.8",
    ];
    let (code, printed) = run(&both);
    assert_eq!(code, Some(1));
    assert!(
        printed.contains("Both MYSQL_PASSWORD and MYSQL_PASSWORD_FILE are set"),
        "{printed}"
    );
    let broken = [("10-broken.sql", "select nonsense;\n")];
    let container = Container::start(&["-e", "POSTGRES_PASSWORD=x", "postgres:17"], &broken);
    let ended = docker(&["wait", &container.id]);
    assert_ne!(text(&ended).trim(), "0", "a script that fails ends the first start");
}

#[test]
fn postgresql_takes_names_passwords_files_and_options_as_they_are() {
    let secrets = tempfile::tempdir().unwrap();
    fs::set_permissions(secrets.path(), PermissionsExt::from_mode(0o755)).unwrap();
    let password = r#"it's "one\"#;
    fs::write(secrets.path().join("password"), password).unwrap();
    let (volume, login) = (
        format!("{}:/secrets:ro", secrets.path().display()),
        format!("PGPASSWORD={password}"),
    );
    let container = Container::start(
        &[
            &[
                "-e",
                r#"POSTGRES_USER=ada "l""#,
                "-e",
                "POSTGRES_DB=the shop",
                "-e",
                &login,
            ],
            &["-e", "POSTGRES_PASSWORD_FILE=/secrets/password", "--volume", &volume][..],
            &["postgres:17", "-c", "max_connections=33"],
        ]
        .concat(),
        &[],
    );
    let address = docker(&["inspect", "--format", "{{.NetworkSettings.IPAddress}}", &container.id]);
    let address = text(&address).trim().to_owned();
    let sql = "select current_user || ' ' || current_database() || ' ' || current_setting('max_connections')";
    // By the address that asks for the password: the loopback one trusts everybody, as in the official image.
    let ask = [
        "psql",
        "-h",
        &address,
        "-U",
        r#"ada "l""#,
        "-d",
        "the shop",
        "-Atc",
        sql,
    ];
    assert_eq!(container.until(&ask), r#"ada "l" the shop 33"#);
    let mut wrong = vec!["exec", "--env", "PGPASSWORD=wrong", &container.id];
    wrong.extend(ask);
    assert!(text(&docker(&wrong)).contains("password authentication failed"));
    let roles = container.until(&psql(
        r#"ada "l""#,
        "postgres",
        "select count(*) from pg_roles where rolname = 'postgres'",
    ));
    assert_eq!(roles, "0", "the user is there instead of `postgres`");
}

#[test]
fn anybody_may_run_postgresql_with_options_of_initdb() {
    let options = [
        "--user=1234:1234",
        "-e",
        "PGDATA=/var/lib/postgresql/data/inside",
        "-e",
        "POSTGRES_INITDB_ARGS=--data-checksums --auth-local='scram-sha-256'",
        "-e",
        "POSTGRES_PASSWORD=secret",
        "-e",
        "PGPASSWORD=secret",
    ];
    for image in ["postgres:13", "postgres:17"] {
        let container = Container::start(&[&options[..], &[image]].concat(), &[]);
        container.until(&psql("postgres", "postgres", "select 1"));
        let on_socket = ["psql", "--no-password", "-U", "postgres", "-Atc", "show data_checksums"];
        assert_eq!(container.until(&on_socket), "on", "{image}");
        let mut without = vec!["exec", "--env", "PGPASSWORD=", &container.id];
        without.extend(on_socket);
        assert!(
            !docker(&without).status.success(),
            "{image}: the socket asks for the password"
        );
    }
}

#[test]
fn mariadb_takes_the_variables_of_both_names_and_any_user() {
    let container = Container::start(
        &[
            &[
                "-e",
                r"MYSQL_ROOT_PASSWORD=it's \one",
                "-e",
                r"MYSQL_PWD=it's \one",
                "-e",
                r#"MYSQL_USER=ada "l""#,
            ],
            &[
                "-e",
                "MARIADB_PASSWORD=hers",
                "-e",
                "MARIADB_DATABASE=the_shop",
                "-e",
                "MARIADB_ROOT_HOST=localhost",
            ][..],
            &["mariadb:11.8", "--max-connections=33"],
        ]
        .concat(),
        &[],
    );
    let mut hers = vec!["env", "MYSQL_PWD=hers"];
    hers.extend(mariadb(
        r#"ada "l""#,
        "create table the_shop.t (id int); select current_user(), @@max_connections",
    ));
    assert_eq!(container.until(&hers), "ada \"l\"@%\t33");
    let roots = [
        "mariadb",
        "-u",
        "root",
        "-Ne",
        "select group_concat(host) from mysql.user where user = 'root'",
    ];
    assert_eq!(container.until(&roots), "localhost");
    let mut without = vec!["exec", "--env", "MYSQL_PWD=", &container.id];
    without.extend(roots);
    assert!(text(&docker(&without)).contains("Access denied"));

    let options = [
        "--user=1234:1234",
        "-e",
        "MYSQL_ALLOW_EMPTY_PASSWORD=1",
        "mariadb:10.5",
        "--datadir=/tmp/data",
    ];
    let container = Container::start(&options, &[]);
    assert_eq!(container.until(&mariadb("root", "select 1")), "1");
    let random = Container::start(&["-e", "MARIADB_RANDOM_ROOT_PASSWORD=1", "mariadb:11.8"], &[]);
    let begin = Instant::now();
    while !random.log().contains("GENERATED ROOT PASSWORD: ") {
        assert!(begin.elapsed() < PATIENCE, "{}", random.log());
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn redis_takes_options_and_runs_without_rights() {
    for options in [
        &["redis:7", "--maxmemory", "64mb"][..],
        &["--user=1234:1234", "redis:8", "--maxmemory", "64mb"],
    ] {
        let container = Container::start(options, &[]);
        let said = container.until(&["redis-cli", "config", "get", "maxmemory"]);
        assert_eq!(said, "maxmemory\n67108864");
        let user = container.until(&["stat", "-c", "%u", "/proc/1"]);
        assert_ne!(user, "0");
    }
    let (code, printed) = run(&["redis:7", "redis-server", "--version"]);
    assert_eq!(
        (code, printed.starts_with("Redis server v=7")),
        (Some(0), true),
        "{printed}"
    );
}
