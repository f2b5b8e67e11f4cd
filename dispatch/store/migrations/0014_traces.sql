-- What was written by one piece of work bears one id. Each statement that writes says it in a setting of its own
-- transaction, and the columns take it from there: no function has to hand it on, and a build that says none writes null.

alter table event add column trace text;
alter table event alter column trace set default nullif(current_setting('kapok.trace', true), '');

-- What a decision means for another incident is done under the id of that decision.
alter table due add column trace text;
alter table due alter column trace set default nullif(current_setting('kapok.trace', true), '');
