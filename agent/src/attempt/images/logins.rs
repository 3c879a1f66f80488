//! Who asks registries in the name of a job: the logins of its steps that build images.

use job_specs::model::{ImageBuild, StepAction};

use crate::attempt::AttemptInput;
use crate::engine::{Login, Logins};

/// The logins of a job whose secrets are known, by registry.
pub fn of(input: &AttemptInput) -> Logins {
    let mut logins = Logins::default();
    for step in &input.spec.steps {
        if let StepAction::Image(image) = &step.action
            && let Some(login) = of_image(input, image)
        {
            for tag in &image.tags {
                logins.add(tag, login.clone());
            }
        }
    }
    logins
}

/// Who pushes that image; `None`: nobody in particular, or the secret is missing.
fn of_image(input: &AttemptInput, image: &ImageBuild) -> Option<Login> {
    let login = image.login.as_ref()?;
    Some(Login {
        user: login.user.clone(),
        password: input.secrets.get(&login.secret)?.clone(),
    })
}
