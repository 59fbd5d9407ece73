//! Finds rows whose code doesn't compile, behind the back of everybody: a row may have come to its table past every check, and what it
//! guards would be told as guarded until its first call.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::failed_run::FailedRun;
use super::set::{Extension, Origin};
use super::store::Extensions;
use super::trouble::Trouble;
use crate::error::ErrorCode;

impl Extensions {
    /// Looks at every version of a row that wasn't looked at yet. One look at a time: it sees what came meanwhile.
    pub(super) fn inspect(self: &Arc<Self>) {
        if self.inspecting.swap(true, Ordering::AcqRel) {
            return;
        }
        let this = Arc::clone(self);
        tokio::spawn(async move {
            let mut probe = this.shared.pool.probe();
            while let Some(extension) = this.uninspected() {
                let Some(Err(failure)) = probe.look(&extension.unit).await else { continue };
                let (shared, id, now) = (&this.shared, &extension.settings.id, this.shared.core.clock.now());
                let trouble = Trouble::load(ErrorCode::ExtensionUnavailable, &failure);
                if extension.set_broken(&trouble.message, now) {
                    let run = FailedRun::new(id, "the start", "", None, trouble, now);
                    let report = run.text();
                    tracing::warn!(extension = extension.settings.name, report, "an extension's code doesn't compile");
                    shared.stats.note_error(id, &report);
                    this.current().mark_broken(&extension, &report);
                    shared.runs.add(run);
                }
            }
            this.inspecting.store(false, Ordering::Release);
        });
    }

    /// The next to look at, which is marked as seen.
    fn uninspected(&self) -> Option<Arc<Extension>> {
        let set = self.current();
        let is_next = |extension: &&Arc<Extension>| {
            matches!(extension.origin, Origin::Row(_)) && extension.broken().is_none() && !extension.inspected.swap(true, Ordering::Relaxed)
        };
        set.by_id.values().find(is_next).map(Arc::clone)
    }
}
