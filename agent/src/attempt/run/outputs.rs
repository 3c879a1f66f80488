//! What steps hand on: `KEY=value` lines in the file `$DROVER_OUTPUT`. Read after each step and kept in the attempt's
//! folder, so that a restarted agent still has them. A line that cannot be used is said, never dropped in silence.

use std::io;
use std::path::PathBuf;

use job_specs::dag::outputs::{JobOutputs, MAX_ALL, check, size};

use crate::attempt::job::Job;
use crate::files::{read_note, write_note};
use crate::gate;

/// Remarks about one file; the rest of a bad one is not worth a line each.
const MAX_REMARKS: usize = 20;

/// What a file says.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Parsed {
    /// Names and values; of two lines with one name the later counts.
    pub values: JobOutputs,
    /// What could not be used, each as `line 3: …`.
    pub remarks: Vec<String>,
}

/// Reads the text of an outputs file: `KEY=value`, or `KEY<<WORD`, lines, `WORD`. Empty lines are fine.
pub fn parse(text: &str) -> Parsed {
    let mut parsed = Parsed::default();
    let mut lines = text.lines().zip(1..);
    while let Some((line, number)) = lines.next() {
        if line.trim().is_empty() {
            continue;
        }
        let read = match (line.find('='), line.find("<<")) {
            (equals, Some(heredoc)) if equals.is_none_or(|equals| heredoc < equals) => {
                let (name, word) = (&line[..heredoc], line[heredoc + 2..].trim());
                block(&mut lines, word).map(|value| (name, value))
            }
            (Some(equals), _) => Ok((&line[..equals], line[equals + 1..].to_owned())),
            (None, _) => Err("it is neither `NAME=value` nor `NAME<<WORD`".to_owned()),
        };
        let checked = read.and_then(|(name, value)| check(name, &value).map(|()| (name, value)));
        match checked {
            Ok((name, value)) => drop(parsed.values.insert(name.to_owned(), value)),
            Err(why) => parsed.remarks.push(format!("line {number}: {why}")),
        }
    }
    if parsed.remarks.len() > MAX_REMARKS {
        let more = parsed.remarks.len() - MAX_REMARKS;
        parsed.remarks.truncate(MAX_REMARKS);
        parsed.remarks.push(format!("{more} more lines cannot be used"));
    }
    parsed
}

/// The lines up to one that is `word` alone.
fn block<'a>(lines: &mut impl Iterator<Item = (&'a str, usize)>, word: &str) -> Result<String, String> {
    if word.is_empty() {
        return Err("a word must follow `<<`; the value ends at the line that is this word alone".to_owned());
    }
    let mut value = Vec::new();
    for (line, _) in lines {
        if line == word {
            return Ok(value.join("\n"));
        }
        value.push(line);
    }
    Err(format!("no line `{word}` ends its value"))
}

/// Takes over what the step at `index` has written so far, with a line in the job's log for all that is not taken.
pub fn take(job: &Job, index: usize) {
    let name = &job.step(index).name;
    let parsed = match gate::read_file(&job.folder.step(index), gate::OUTPUTS, MAX_ALL as u64) {
        Ok(None) => return,
        Ok(Some(bytes)) => parse(&String::from_utf8_lossy(&bytes)),
        Err(error) => {
            job.job_log
                .write_line(format!("outputs of step `{name}` are not taken: {error}"));
            return;
        }
    };
    for remark in &parsed.remarks {
        job.job_log.write_line(format!("outputs of step `{name}`, {remark}"));
    }
    let mut all = job.outputs();
    let masker = &job.masker;
    for (output, value) in parsed.values {
        if masker.finds_in(value.as_bytes()) {
            job.job_log.write_line(format!(
                "output `{output}` of step `{name}` holds a secret and is not kept; outputs can be seen by everybody"
            ));
        } else if size(&all) + output.len() + value.len() > MAX_ALL {
            job.job_log.write_line(format!(
                "output `{output}` of step `{name}` is not kept: the outputs of a job may have {MAX_ALL} bytes together"
            ));
        } else {
            all.insert(output, value);
        }
    }
    if let Err(error) = job.keep_outputs(&all) {
        tracing::error!(%error, attempt.id = %job.input.attempt, "cannot keep the outputs of a job");
        job.job_log
            .write_line(format!("outputs of step `{name}` are lost: {error}"));
    }
}

impl Job {
    fn outputs_file(&self) -> PathBuf {
        self.folder.path().join("outputs")
    }

    /// What its steps have handed on so far.
    pub fn outputs(&self) -> JobOutputs {
        read_note(&self.outputs_file()).unwrap_or_default()
    }

    fn keep_outputs(&self, outputs: &JobOutputs) -> io::Result<()> {
        write_note(&self.outputs_file(), outputs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &str) -> String {
        let Parsed { values, remarks } = parse(text);
        let values = values.into_iter().map(|(name, value)| format!("{name} = {value:?}"));
        values.chain(remarks).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn lines_and_blocks_are_values() {
        let text =
            "VERSION=1.2.3\n\nurl=http://a/?x=1\nEMPTY=\nNOTES<<END\nfirst = line\n\n  END\nEND\nodd=<<x\nVERSION=2\n";
        insta::assert_snapshot!(message(text), @r#"
        EMPTY = ""
        NOTES = "first = line\n\n  END"
        VERSION = "2"
        odd = "<<x"
        url = "http://a/?x=1"
        "#);
    }

    #[test]
    fn what_cannot_be_used_is_named_with_its_line() {
        let long = format!(
            "a=1\nnonsense\n2b=x\nmy-name=x\nbig={}\nopen<<\nlast<<END\nvalue",
            "x".repeat(job_specs::dag::outputs::MAX_VALUE + 1)
        );
        insta::assert_snapshot!(message(&long), @"
        a = \"1\"
        line 2: it is neither `NAME=value` nor `NAME<<WORD`
        line 3: `2b` is no name for an output: letters, digits and `_`, not a digit first, at most 100
        line 4: `my-name` is no name for an output: letters, digits and `_`, not a digit first, at most 100
        line 5: output `big` has 65 KiB; at most 64 KiB are kept: use an artifact
        line 6: a word must follow `<<`; the value ends at the line that is this word alone
        line 7: no line `END` ends its value
        ");
        let many = "bad\n".repeat(100);
        assert_eq!(parse(&many).remarks.last().unwrap(), "80 more lines cannot be used");
    }
}
