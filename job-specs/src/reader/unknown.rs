//! What to say about a `${{ }}` that has no value: which names there are, and which one was probably meant.

use crate::codes;
use crate::env::github_fact;
use crate::located::Need;
use crate::problems::Problem;
use crate::reader::{Reader, Slot};
use crate::source::Location;
use crate::substitute::{Template, output_of, variable_of};

impl Reader<'_> {
    /// A name that there is not.
    pub(crate) fn no_value(&mut self, slot: Slot<'_>, template: Template<'_>) {
        let Template { whole, root, name } = template;
        let location = self.inner(slot, whole, 0);
        let no_value = |location| codes::NO_VALUE.at(location, format!("`{whole}` has no value"));
        let problem = match root {
            _ if self.problems.is_full() => no_value(location),
            "needs" => return self.no_output(location, template),
            "inputs" => self.no_input(location, name),
            "secrets" | "secret" => {
                let problem = codes::NO_VALUE.at(location, "secrets are not pasted into fields");
                let help = format!("name it in the step, `secrets: [{name}]`, and read `${name}` in the script");
                problem.help(help)
            }
            "matrix" if self.scope.cell.is_none() => {
                codes::NO_VALUE.at(location, "`matrix` is only known inside a job")
            }
            "matrix" if self.scope.axes.is_empty() => no_value(location).label("this job has no matrix"),
            "matrix" | "git" | "env" => {
                let problem = no_value(self.at_name(location, template));
                self.known_names(problem, root, name)
            }
            _ => {
                let problem = no_value(self.at_name(location, template));
                match github_fact(name).filter(|_| root == "github") {
                    Some(ours) => problem.label(format!("did you mean `git.{ours}`?")),
                    None => problem.help(
                        "values are `matrix.<axis>`, `git.<fact>`, `env.<NAME>`, `inputs.<name>`, \
                         `needs.<job>.outputs.<name>` and `hash('<glob>')`",
                    ),
                }
            }
        };
        self.add(problem);
    }

    fn at_name(&self, location: Location, template: Template<'_>) -> Location {
        let Template { root, name, .. } = template;
        let needle = if name.is_empty() { root } else { name };
        self.sources.within(location, needle, 0)
    }

    fn no_input(&self, location: Location, name: &str) -> Problem {
        let names = self.scope.inputs.iter().map(|input| input.name.as_str());
        unknown_input(location, name, names)
    }

    fn no_output(&mut self, location: Location, template: Template<'_>) {
        let Some((job, output)) = output_of(template.name) else {
            let message = format!("`{}` is not the name of an output", template.whole);
            let problem = codes::BAD_TEMPLATE.at(location, message);
            self.add(problem.help("write `${{ needs.build.outputs.version }}`; how a job ended is asked by `when`"));
            return;
        };
        if self.scope.cell.is_none() {
            let message = "outputs of other jobs are only known inside a job";
            self.add(codes::NO_VALUE.at(location, message));
        } else if !self.scope.needs.iter().any(|need| need.name == job) {
            self.not_needed(location, job, self.scope.needs);
        } else {
            self.missing_output(location, job, output);
        }
    }

    /// An output of a job that this one does not wait for.
    pub(crate) fn not_needed(&mut self, location: Location, job: &str, needs: &[Need]) {
        let names = needs.iter().map(|need| need.name.as_str());
        let message = format!("outputs of `{job}` are not known here: this job does not need it");
        let problem = codes::NOT_NEEDED.at(location, message);
        let problem = problem.known(job, "its needs", names.clone());
        let all: Vec<&str> = names.chain([job]).collect();
        self.add(problem.or_help(format!("add it: `needs: [{}]`", all.join(", "))));
    }

    /// An output that a job, which has ended, did not give.
    pub(crate) fn missing_output(&mut self, location: Location, job: &str, output: &str) {
        let given = self.scope.outputs.and_then(|outputs| outputs.get(job));
        let names = given.into_iter().flat_map(|given| given.keys().map(String::as_str));
        let problem = codes::NO_OUTPUT.at(location, format!("job `{job}` gave no output `{output}`"));
        let help = format!("a step of `{job}` gives it by `echo \"{output}=…\" >> \"$DROVER_OUTPUT\"`");
        self.add(problem.known(output, "its outputs", names).or_help(help));
    }

    fn known_names(&self, problem: Problem, root: &str, name: &str) -> Problem {
        let kind = match root {
            "matrix" => "axes",
            "git" => "facts",
            _ => "names",
        };
        problem.known(name, kind, self.scope.names(root).into_iter())
    }

    /// The same in a Compose file, where the value was written `$NAME`.
    fn in_shell_text_of_compose(&mut self, slot: Slot<'_>, name: &str) {
        let location = self.inner(slot, name, 0);
        let problem = codes::TEMPLATE_IN_RUN.at(location, format!("`${name}` in a text that a shell runs"));
        let help = format!("set it in the service's `environment` and write `$${name}`: it must never become code");
        self.add(
            problem
                .note("its value comes from outside of the repository")
                .help(help),
        );
    }

    /// A value from outside in a text that a shell runs.
    pub(crate) fn in_shell_text(&mut self, slot: Slot<'_>, template: Template<'_>) {
        if self.in_compose(slot.location()) {
            return self.in_shell_text_of_compose(slot, template.name);
        }
        let message = format!("`{}` in a text that a shell runs", template.whole);
        let location = self.inner(slot, template.whole, 0);
        let help = match variable_of(template) {
            Some(variable) => {
                format!("set it in the environment and write `${variable}`; a value must never become code")
            }
            None => "only `${{ matrix.x }}` can stand here; a value from outside must never become code".to_owned(),
        };
        self.add(codes::TEMPLATE_IN_RUN.at(location, message).help(help));
    }
}

/// An input that no file declares; `names` are those of the inputs that there are.
pub(crate) fn unknown_input<'n>(
    location: Location,
    name: &str,
    names: impl Iterator<Item = &'n str> + Clone,
) -> Problem {
    let problem = codes::UNKNOWN_INPUT.at(location, format!("no file declares the input `{name}`"));
    let help = format!("declare it: `on: {{manual: {{inputs: {{{name}: {{}}}}}}}}`");
    problem.known(name, "inputs", names).or_help(help)
}
