//! What is found in Dockerfiles, however it is written.

use super::*;

fn args(pairs: &[(&str, &str)]) -> Variables {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

fn message(fetched: Vec<Fetch>) -> Vec<String> {
    fetched
        .into_iter()
        .map(|one| format!("{} {}", one.line, one.what))
        .collect()
}

#[test]
fn base_images_are_found_however_they_are_written() {
    let text = "ARG BASE=one:1\nARG OTHER\nFROM $BASE AS first\nfrom --platform=linux/amd64 ${OTHER:-two} as second\n\
                COPY --from=first /a /b\nCOPY --from=0 /a /b\nCOPY --chown=1 --from=three:3 /a /b\n\
                FR\\\nOM \"four\"\nONBUILD COPY --from=five /a /b\nFROM scratch\nFROM second AS last\nFROM six\n";
    let read = |target| {
        Dockerfile::read(text, &args(&[("BASE", "mine")]), target)
            .unwrap()
            .images()
            .unwrap()
    };
    assert_eq!(
        message(read(None)),
        ["3 mine", "4 two", "7 three:3", "8 four", "10 five", "13 six"]
    );
    assert_eq!(message(read(Some("first"))), ["3 mine"]);
    assert_eq!(
        message(read(Some("LAST"))),
        ["3 mine", "4 two", "7 three:3", "8 four", "10 five"]
    );
    assert!(
        Dockerfile::read("ARG A=x\nFROM ${A%y}\n", &args(&[]), None)
            .unwrap()
            .images()
            .is_err()
    );
}

#[test]
fn urls_are_found_however_they_are_written() {
    let text = "ARG HOST=a.example\nFROM base AS one\nADD http://plain.example/x /x\n\
                ADD [\"https://list.example/x\", \"/x\"]\nARG HOST\nENV PLACE=http://$HOST/x SECOND='b c'\n\
                ADD --chown=1 local $PLACE /x\nadd h\"tt\"p:\\\n//split.example/ /x\nONBUILD ADD http://later.example/ /x\n\
                FROM one\nCOPY http://not.fetched /x\nADD http-file /x\n";
    let base = Base {
        env: args(&[("U", "http://env.example/")]),
        triggers: vec!["ADD $U /x".into()],
    };
    let bases = BTreeMap::from([("base".to_owned(), base)]);
    let file = Dockerfile::read(text, &args(&[]), None).unwrap();
    assert_eq!(
        message(file.urls(&bases).unwrap()),
        [
            "2 http://env.example/",
            "3 http://plain.example/x",
            "4 https://list.example/x",
            "7 http://a.example/x",
            "8 http://split.example/",
            "11 http://later.example/",
        ]
    );
}

#[test]
fn what_the_builder_reads_otherwise_than_a_shell_hides_nothing() {
    let urls = |text: &str| {
        let file = Dockerfile::read(text, &args(&[]), None).unwrap();
        file.urls(&BTreeMap::new()).map(message)
    };
    for (text, expected) in [
        ("FROM a\nADD http://x.example/?\\ /x\n", "2 http://x.example/?"),
        (
            "FROM a\nENV U=http://x.example/\nARG U=local\nADD $U /x\n",
            "4 http://x.example/",
        ),
        (
            "FROM a\nARG U=local\nARG U\nADD ${U:-http://x.example/} /x\n",
            "4 http://x.example/",
        ),
        (
            "FROM a\nARG A=b U=$A\nADD ${U:-http://x.example/} /x\n",
            "3 http://x.example/",
        ),
        (
            "FROM a AS one\nARG U=local\nFROM one\nADD ${U:-http://x.example/} /x\n",
            "4 http://x.example/",
        ),
        (
            "FROM a\nENV A='x\\' U=http://x.example/\nADD $U /x\n",
            "3 http://x.example/",
        ),
        (
            "# escape=`\nFROM a\nENV A=x\\ U=http://x.example/\nADD $U /x\n",
            "4 http://x.example/",
        ),
        (
            "FROM a\nENV \"U\"=http://x.example/\nADD $U /x\n",
            "3 http://x.example/",
        ),
        ("FROM a\nRUN x \\\\\nADD http://x.example/ /x\n", "3 http://x.example/"),
    ] {
        assert_eq!(urls(text).unwrap(), [expected], "{text}");
    }
    for text in [
        "FROM a\nADD [\"\\ud800\", \"/x\"]\n",
        "FROM a\nADD $1x /x\n",
        "FROM a\nADD $@ /x\n",
    ] {
        assert!(urls(text).is_err(), "{text}");
    }
    let copied = "FROM one\nCOPY --chown=\"a b\" --from=three:3 /a /b\n";
    let file = Dockerfile::read(copied, &args(&[]), None).unwrap();
    assert_eq!(message(file.images().unwrap()), ["1 one", "2 three:3"]);
}

#[test]
fn a_file_is_written_anew_with_what_is_put_in() {
    let text = "# escape=`\n\nARG B=app:1\nFROM --platform=x $B AS web\nRUN a `\n  b\nFROM web\n";
    let file = Dockerfile::read(text, &args(&[]), None).unwrap();
    let bases = BTreeMap::from([("app:1".to_owned(), "sha256:7".to_owned())]);
    let (text, lines) = file.rewritten(&bases, Some("LABEL a=b")).unwrap();
    assert_eq!(
        text,
        "# escape=`\nARG B=app:1\nFROM sha256:7 AS web\nLABEL a=b\nRUN a   b\nFROM web\nLABEL a=b\n"
    );
    let lines: Vec<usize> = lines.into_iter().map(|(line, _)| line).collect();
    assert_eq!(lines, [3, 4, 4, 5, 7, 7]);
}

#[test]
fn what_cannot_be_read_is_said_with_its_line() {
    let file = Dockerfile::read("FROM base\nADD ${U#x} /x\n", &args(&[]), None).unwrap();
    let why = file.urls(&BTreeMap::new()).unwrap_err();
    assert!(why.starts_with("line 2: `${U#x}`"), "{why}");
}
