//! Where in a Dockerfile a build stands: the builder counts steps, people look for lines. Pure.

/// What the builder has said last.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// A line that is not complete yet.
    half: String,
    /// The step that it is at, from 1, and its instruction.
    step: Option<(usize, String)>,
}

impl Progress {
    /// The builder said that.
    pub(super) fn note(&mut self, output: &str) {
        self.half.push_str(output);
        while let Some(end) = self.half.find('\n') {
            let line: String = self.half.drain(..=end).collect();
            if let Some(step) = step_of(&line) {
                self.step = Some(step);
            }
        }
    }

    /// It is at a base image.
    pub(super) fn is_at_base(&self) -> bool {
        let from = |(_, instruction): &(usize, String)| instruction.to_ascii_uppercase().starts_with("FROM ");
        self.step.as_ref().is_some_and(from)
    }

    /// The place in words: ``line 3 of `Dockerfile` (`RUN make`)``; `written` are the instructions that the builder
    /// has, each with its line. `None`: it never came to one.
    pub(super) fn place(&self, dockerfile: &str, written: &[(usize, String)]) -> Option<String> {
        let (number, instruction) = self.step.as_ref()?;
        let first_word = |text: &str| text.split_whitespace().next().map(str::to_ascii_uppercase);
        let found = written.get(number - 1);
        Some(
            match found.filter(|(_, text)| first_word(text) == first_word(instruction)) {
                Some((line, _)) => format!("line {line} of `{dockerfile}` (`{instruction}`)"),
                None => format!("step {number} of `{dockerfile}` (`{instruction}`)"),
            },
        )
    }
}

/// `Step 3/5 : RUN make`
fn step_of(line: &str) -> Option<(usize, String)> {
    let (count, instruction) = line.strip_prefix("Step ")?.split_once(" : ")?;
    let number: usize = count.split_once('/')?.0.parse().ok().filter(|number| *number > 0)?;
    Some((number, instruction.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written() -> Vec<(usize, String)> {
        let all = crate::build::instructions::parse(FILE).into_iter();
        all.map(|one| (one.line, one.text)).collect()
    }

    const FILE: &str = "# syntax\nARG BASE=busybox\nFROM $BASE\n\nRUN one && \\\n    # why\n    two\nRUN three\n";

    #[test]
    fn the_line_of_a_step_is_found_across_comments_and_long_instructions() {
        let mut progress = Progress::default();
        let mut message = Vec::new();
        for output in [
            "Step 2/4 : FROM $BASE\n ---> 12ab\nSte",
            "p 4/4 : RUN three\n",
            " ---> Running in 34cd\n",
        ] {
            progress.note(output);
            message.push(format!(
                "{:?} {}",
                progress.place("Dockerfile", &written()),
                progress.is_at_base()
            ));
        }
        insta::assert_snapshot!(message.join("\n"), @r#"
        Some("line 3 of `Dockerfile` (`FROM $BASE`)") true
        Some("line 8 of `Dockerfile` (`RUN three`)") false
        Some("line 8 of `Dockerfile` (`RUN three`)") false
        "#);
    }

    #[test]
    fn a_step_that_the_file_does_not_have_keeps_its_number() {
        let mut progress = Progress::default();
        progress.note("Step 5/5 : LABEL drover.agent=a\n");
        let place = progress.place("Dockerfile", &written());
        assert_eq!(
            place.as_deref(),
            Some("step 5 of `Dockerfile` (`LABEL drover.agent=a`)")
        );
        assert_eq!(Progress::default().place("Dockerfile", &written()), None);
    }
}
