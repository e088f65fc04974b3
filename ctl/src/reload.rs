//! `palisade reload`: the policy's file is compiled again and put in force.

use std::process::ExitCode;

use hyper::{Method, StatusCode};

use crate::cli::Reload;
use crate::client::ask;
use crate::words::{tell, warn};

/// Asks for a reload and prints what came of it.
pub(crate) fn reload(args: &Reload) -> ExitCode {
    match ask(&args.control, Method::POST, "/reload") {
        Ok((StatusCode::OK, body)) => {
            tell(String::from_utf8_lossy(&body));
            ExitCode::SUCCESS
        }
        Ok((_, body)) => {
            warn(String::from_utf8_lossy(&body));
            ExitCode::FAILURE
        }
        Err(code) => code,
    }
}
