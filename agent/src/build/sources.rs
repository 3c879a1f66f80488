//! What a Dockerfile has the builder fetch: base images and URLs. The builder fetches from the host's position and takes
//! any image that is here, so both are looked at before it begins. Pure: what base images say is given.

use std::collections::{BTreeMap, BTreeSet};

use job_specs::images::familiar;

use super::instructions::{self, Instruction, Variables};

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
    /// All that its instructions can use.
    variables: Variables,
    /// Those that ENV says: they stay whatever ARG says, and stages that begin with this one have them.
    env: Variables,
    triggers: Vec<String>,
}

impl Dockerfile {
    /// Reads it; `args` are the build's arguments.
    ///
    /// # Errors
    /// Something cannot be read, with its line.
    pub(super) fn read(text: &str, args: &Variables, target: Option<&str>) -> Result<Dockerfile, String> {
        let mut whole = Dockerfile {
            instructions: instructions::parse(text),
            escape: instructions::escape_of(text),
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
        let (_, rest) = instructions::flags(rest);
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
        let (command, rest) = instructions::parts(text);
        match command.as_str() {
            "ARG" => {
                self.argument(line, rest, globals, &mut stage.variables)?;
                stage.variables.extend(stage.env.clone());
            }
            "ENV" => {
                let before = stage.variables.clone();
                for (name, value) in instructions::assignments(rest, self.escape) {
                    let (name, value) = (self.expand(line, &name, &before)?, self.expand(line, &value, &before)?);
                    stage.env.insert(name.clone(), value.clone());
                    stage.variables.insert(name, value);
                }
            }
            "ADD" => {
                let (_, rest) = instructions::flags(rest);
                let mut arguments = instructions::arguments(rest).map_err(|why| format!("line {line}: {why}"))?;
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
        let before = known.clone();
        for word in instructions::split(rest, self.escape) {
            let (name, default) = match word.split_once('=') {
                Some((name, default)) => (name, Some(self.expand(line, default, &before)?)),
                None => (word.as_str(), None),
            };
            let name = self.expand(line, name, &before)?;
            let given = self.args.get(&name).cloned().or(default);
            match given.or_else(|| globals.get(&name).cloned()) {
                Some(value) => known.insert(name, value),
                None => known.remove(&name), // what an earlier ARG said of it
            };
        }
        Ok(())
    }

    fn expand(&self, line: usize, word: &str, variables: &Variables) -> Result<String, String> {
        instructions::expand(word, self.escape, variables).map_err(|why| format!("line {line}: {why}"))
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
            variables: stage.env.clone(),
            env: stage.env.clone(),
            triggers: stage.triggers.clone(),
            ..Stage::default()
        };
    }
    let base = bases.get(image).cloned().unwrap_or_default();
    Stage {
        variables: base.env.clone(),
        env: base.env,
        triggers: base.triggers,
        ..Stage::default()
    }
}

/// What `COPY --from` names, also when it waits in a trigger.
fn copied_from(command: &str, rest: &str) -> Option<String> {
    match command {
        "COPY" => {
            let (flags, _) = instructions::flags(rest);
            instructions::flag(&flags, "from").map(str::to_owned)
        }
        "ONBUILD" => {
            let (command, rest) = instructions::parts(rest);
            copied_from(&command, rest)
        }
        _ => None,
    }
}

fn is_url(text: &str) -> bool {
    text.contains("://") || text.starts_with("git@")
}

#[cfg(test)]
mod tests;
