//! A body that is a form: GitHub's default. The JSON is in its field `payload`.

use std::borrow::Cow;

/// The JSON of a form, or the body as it is.
pub(super) fn unwrap(body: &[u8]) -> Cow<'_, [u8]> {
    let Some(rest) = body.strip_prefix(b"payload=") else {
        return Cow::Borrowed(body);
    };
    let value = rest.split(|byte| *byte == b'&').next().unwrap_or_default();
    let mut plain = Vec::with_capacity(value.len());
    let mut bytes = value.iter().copied();
    while let Some(byte) = bytes.next() {
        plain.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits = [bytes.next().unwrap_or_default(), bytes.next().unwrap_or_default()];
                let mut decoded = [b'?'];
                // A broken escape becomes `?`, and the JSON around it says the rest.
                let _ = hex::decode_to_slice(digits, &mut decoded);
                decoded[0]
            }
            other => other,
        });
    }
    Cow::Owned(plain)
}
