//! The variables of an env file of the repository, `.env` or one of `env_file`, with what to say about its lines.

use super::env_lines::env_lines;
use super::variables::Variables;
use crate::codes;
use crate::reader::Reader;
use crate::source::Location;

impl Reader<'_> {
    /// The variables of an env file. Each may use those before it; values of the build stay `${{ }}`.
    pub(crate) fn env_of_file(
        &mut self,
        file: usize,
        variables: &Variables,
        raw: bool,
    ) -> Vec<(String, String, Location)> {
        let sources = self.sources;
        let source = &sources[file];
        if !self.spend(source.text.len(), sources.location(file, 0..0)) {
            return Vec::new();
        }
        let mut known = variables.clone();
        let mut env = Vec::new();
        for line in env_lines(&source.text) {
            let line = match line {
                Ok(line) => line,
                Err((at, fault)) => {
                    let message = "a line of an env file cannot be read";
                    self.add(codes::BAD_ENV_FILE.at(sources.location(file, at), message).label(fault));
                    continue;
                }
            };
            let location = sources.location(file, line.at.clone());
            let Some(value) = self.env_line_value(&line, location, &known, raw) else {
                continue;
            };
            if self.check_environment_name(&line.name, location).is_some() {
                known.add(line.name.clone(), value.clone());
                env.push((line.name, value, location));
            }
        }
        env
    }

    /// Images read names that no shell could set, as `discovery.type`.
    pub(crate) fn check_environment_name(&mut self, name: &str, location: Location) -> Option<()> {
        if !name.is_empty() && !name.contains(|c: char| c == '=' || c.is_whitespace() || c.is_control()) {
            return Some(());
        }
        let message = format!("`{name}` is not a name for an environment variable");
        self.reject(codes::BAD_NAME.at(location, message).label("no `=` and no spaces"))
    }
}
