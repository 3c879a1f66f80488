//! What a Dockerfile has the builder fetch: base images and URLs. The builder fetches from the host's position and takes
//! any image that is here, so both are looked at before it begins. Pure: what base images say is given.

use std::collections::{BTreeMap, BTreeSet};

use job_specs::images::familiar;

use super::words::{self, Instruction, Variables};

/// Something that a Dockerfile fetches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fetch {
    /// The line of its instruction.
    pub(super) line: usize,
    /// What: an image's name, a URL.
    pub(super) what: String,
}

/// What is known of a base image.
#[derive(Debug, Clone, Default)]
pub(super) struct Base {
    /// ENV.
    pub(super) env: Variables,
    /// ONBUILD.
    pub(super) triggers: Vec<String>,
}

/// A Dockerfile up to the stage at which the build stops.
pub(super) struct Dockerfile {
    pub(super) instructions: Vec<Instruction>,
    escape: char,
    args: Variables,
}

/// One stage, while it is read.
#[derive(Default)]
struct Stage {
    name: String,
    variables: Variables,
    triggers: Vec<String>,
}

impl Dockerfile {
    /// Reads it; `args` are the build's arguments.
    ///
    /// # Errors
    /// Something cannot be read, with its line.
    pub(super) fn read(text: &str, args: &Variables, target: Option<&str>) -> Result<Dockerfile, String> {
        let mut whole = Dockerfile {
            instructions: words::instructions(text),
            escape: words::escape_of(text),
            args: args.clone(),
        };
        if let Some(target) = target {
            let end = whole.end_of(target)?;
            whole.instructions.truncate(end);
        }
        Ok(whole)
    }

    /// The images that it begins with or copies from, in order; stages of its own are none.
    pub(super) fn images(&self) -> Result<Vec<Fetch>, String> {
        let mut images = Vec::new();
        let mut stages = BTreeSet::new();
        for (instruction, from) in self.froms()? {
            let (command, rest) = instruction.parts();
            let line = instruction.line;
            let (what, name) = match from {
                Some((image, name)) => (Some(image).filter(|image| image != "scratch"), name),
                // here a number is that of a stage
                None => (
                    copied_from(&command, rest).filter(|from| from.parse::<usize>().is_err()),
                    None,
                ),
            };
            let what = what.filter(|what| !what.is_empty() && !stages.contains(&what.to_ascii_lowercase()));
            images.extend(what.map(|what| Fetch { line, what }));
            stages.extend(name.map(|name| name.to_ascii_lowercase()));
        }
        Ok(images)
    }

    /// The URLs that it adds, those of its base images' triggers included.
    pub(super) fn urls(&self, bases: &BTreeMap<String, Base>) -> Result<Vec<Fetch>, String> {
        let mut urls = Vec::new();
        let mut stages = Vec::<Stage>::new();
        let globals = self.globals()?;
        for (instruction, from) in self.froms()? {
            let line = instruction.line;
            if let Some((image, name)) = from {
                let mut stage = begin(&image, &stages, bases);
                stage.name = name.unwrap_or_default().to_ascii_lowercase();
                for trigger in std::mem::take(&mut stage.triggers) {
                    self.follow(line, &trigger, &globals, &mut stage, &mut urls)?;
                }
                stages.push(stage);
            } else if let Some(stage) = stages.last_mut() {
                self.follow(line, &instruction.text, &globals, stage, &mut urls)?;
            }
        }
        Ok(urls)
    }

    /// The same file with an instruction in each line, other bases and, after each FROM, one more instruction; and of
    /// each instruction the line on which it stood.
    pub(super) fn rewritten(
        &self,
        bases: &BTreeMap<String, String>,
        after_from: Option<&str>,
    ) -> Result<(String, Vec<(usize, String)>), String> {
        let mut written = Vec::new();
        for (instruction, from) in self.froms()? {
            let line = instruction.line;
            let other = from.as_ref().and_then(|(image, _)| bases.get(&familiar(image)));
            match (&from, other) {
                (Some((_, name)), Some(id)) => {
                    let name = name.as_ref().map_or(String::new(), |name| format!(" AS {name}"));
                    written.push((line, format!("FROM {id}{name}")));
                }
                _ => written.push((line, instruction.text.clone())),
            }
            if from.is_some() {
                written.extend(after_from.map(|instruction| (line, instruction.to_owned())));
            }
        }
        let directive = if self.escape == '`' { "# escape=`\n" } else { "" };
        let lines: Vec<&str> = written.iter().map(|(_, text)| text.as_str()).collect();
        Ok((format!("{directive}{}\n", lines.join("\n")), written))
    }

    /// Each instruction; of a FROM the image and the stage's name.
    #[expect(clippy::type_complexity, reason = "a pair of a thing and what is known of it")]
    fn froms(&self) -> Result<Vec<(&Instruction, Option<(String, Option<String>)>)>, String> {
        let globals = self.globals()?;
        let read = |instruction| {
            let from = self.from(instruction, &globals)?;
            Ok((instruction, from))
        };
        self.instructions.iter().map(read).collect()
    }

    pub(super) fn from(
        &self,
        instruction: &Instruction,
        globals: &Variables,
    ) -> Result<Option<(String, Option<String>)>, String> {
        let (command, rest) = instruction.parts();
        if command != "FROM" {
            return Ok(None);
        }
        let (_, rest) = words::flags(rest);
        let mut parts = rest.split_whitespace();
        let image = self.expand(instruction.line, parts.next().unwrap_or_default(), globals)?;
        let name = parts
            .next()
            .filter(|word| word.eq_ignore_ascii_case("as"))
            .and(parts.next());
        Ok(Some((image, name.map(str::to_owned))))
    }

    /// The arguments before the first FROM.
    pub(super) fn globals(&self) -> Result<Variables, String> {
        let mut globals = Variables::new();
        for instruction in &self.instructions {
            let (command, rest) = instruction.parts();
            match command.as_str() {
                "FROM" => break,
                "ARG" => self.argument(instruction.line, rest, &Variables::new(), &mut globals)?,
                _ => {}
            }
        }
        Ok(globals)
    }

    /// What the instruction does to the stage, and what it fetches.
    fn follow(
        &self,
        line: usize,
        text: &str,
        globals: &Variables,
        stage: &mut Stage,
        urls: &mut Vec<Fetch>,
    ) -> Result<(), String> {
        let (command, rest) = words::parts(text);
        match command.as_str() {
            "ARG" => self.argument(line, rest, globals, &mut stage.variables)?,
            "ENV" => {
                let before = stage.variables.clone();
                for (name, value) in words::assignments(rest) {
                    let value = self.expand(line, &value, &before)?;
                    stage.variables.insert(name, value);
                }
            }
            "ADD" => {
                let (_, rest) = words::flags(rest);
                let mut arguments = words::arguments(rest);
                arguments.pop(); // where to
                for argument in arguments {
                    let what = self.expand(line, &argument, &stage.variables)?;
                    if is_url(&what) {
                        urls.push(Fetch { line, what });
                    }
                }
            }
            "ONBUILD" => stage.triggers.push(rest.to_owned()),
            _ => {}
        }
        Ok(())
    }

    fn argument(&self, line: usize, rest: &str, globals: &Variables, known: &mut Variables) -> Result<(), String> {
        for word in words::split(rest) {
            let (name, default) = match word.split_once('=') {
                Some((name, default)) => (name.to_owned(), Some(self.expand(line, default, known)?)),
                None => (word, None),
            };
            let given = self.args.get(&name).cloned().or(default);
            if let Some(value) = given.or_else(|| globals.get(&name).cloned()) {
                known.insert(name, value);
            }
        }
        Ok(())
    }

    fn expand(&self, line: usize, word: &str, variables: &Variables) -> Result<String, String> {
        words::expand(word, self.escape, variables).map_err(|why| format!("line {line}: {why}"))
    }

    /// Where the stage of that name or number ends.
    fn end_of(&self, target: &str) -> Result<usize, String> {
        let (mut number, mut found) = (0_usize, false);
        let globals = self.globals()?;
        for (nth, instruction) in self.instructions.iter().enumerate() {
            let Some((_, name)) = self.from(instruction, &globals)? else {
                continue;
            };
            if found {
                return Ok(nth);
            }
            found = name.is_some_and(|name| name.eq_ignore_ascii_case(target)) || target == number.to_string();
            number += 1;
        }
        Ok(self.instructions.len())
    }
}

/// A stage begins with what its base says: a base image, or an earlier stage.
fn begin(image: &str, stages: &[Stage], bases: &BTreeMap<String, Base>) -> Stage {
    let earlier = stages
        .iter()
        .rev()
        .find(|stage| stage.name == image.to_ascii_lowercase());
    if let Some(stage) = earlier.filter(|stage| !stage.name.is_empty()) {
        return Stage {
            variables: stage.variables.clone(),
            triggers: stage.triggers.clone(),
            ..Stage::default()
        };
    }
    let base = bases.get(image).cloned().unwrap_or_default();
    Stage {
        variables: base.env,
        triggers: base.triggers,
        ..Stage::default()
    }
}

/// What `COPY --from` names, also when it waits in a trigger.
fn copied_from(command: &str, rest: &str) -> Option<String> {
    match command {
        "COPY" => {
            let (flags, _) = words::flags(rest);
            words::flag(&flags, "from").map(str::to_owned)
        }
        "ONBUILD" => {
            let (command, rest) = words::parts(rest);
            copied_from(&command, rest)
        }
        _ => None,
    }
}

fn is_url(text: &str) -> bool {
    text.contains("://") || text.starts_with("git@")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(pairs: &[(&str, &str)]) -> Variables {
        pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    fn told(fetched: Vec<Fetch>) -> Vec<String> {
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
            told(read(None)),
            ["3 mine", "4 two", "7 three:3", "8 four", "10 five", "13 six"]
        );
        assert_eq!(told(read(Some("first"))), ["3 mine"]);
        assert_eq!(
            told(read(Some("LAST"))),
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
            told(file.urls(&bases).unwrap()),
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
}
