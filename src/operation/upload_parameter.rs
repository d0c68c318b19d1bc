//! The operation's parameter `upload`, in the query or in a `Parameters` body.

use crate::fhir::{self, Refusal};
use crate::refusal::RefusalCode;

/// The parameter as far as it has been read. It may be given once.
#[derive(Default)]
pub(super) struct UploadParameter(Option<bool>);

impl UploadParameter {
    pub(super) fn is_requested(&self) -> bool {
        self.0.unwrap_or(false)
    }

    pub(super) fn read_query(&mut self, query: &str) -> Result<(), Refusal> {
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            if name == "upload" {
                self.set(match &*value {
                    "true" => true,
                    "false" => false,
                    _ => return Err(invalid("The parameter upload must be true or false.")),
                })?;
            }
        }
        Ok(())
    }

    pub(super) fn read_parameters(&mut self, json: &[u8]) -> Result<(), Refusal> {
        let mut values = fhir::upload_values(json)?.into_iter();
        values.try_for_each(|value| self.set(value))
    }

    fn set(&mut self, value: bool) -> Result<(), Refusal> {
        match self.0.replace(value) {
            None => Ok(()),
            Some(_) => Err(invalid("The parameter upload may be given once.")),
        }
    }
}

fn invalid(diagnostics: &'static str) -> Refusal {
    Refusal::because(RefusalCode::InvalidParameter, diagnostics)
}
