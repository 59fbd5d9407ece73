-- A change of an extension that waits for a person: what, by whom, when. The row itself stays as it is until then.
ALTER TABLE "daas_extensions" ADD COLUMN "pending" json;

-- Who proposed the version that somebody else confirmed.
ALTER TABLE "daas_extension_versions" ADD COLUMN "proposed_by" uuid;
