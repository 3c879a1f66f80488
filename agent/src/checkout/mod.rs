//! The code of an attempt, put into its workspace: a commit from a bare mirror, or a copy of a working tree.
