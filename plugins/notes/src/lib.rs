//! What the plugins that write meeting notes have in common.
