//! The effects of the controllers, the artifact store and its server.
