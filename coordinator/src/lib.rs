//! Receives webhooks, queues jobs, stores everything that is true, serves API and pages.
