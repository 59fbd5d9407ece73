-- What of the user a sign-in is bound to: a fingerprint of the password as it was then. Who signed in before this has to do so again.
ALTER TABLE "daas_sessions" ADD COLUMN "stamp" varchar(255) COLLATE "C" NOT NULL DEFAULT '';
