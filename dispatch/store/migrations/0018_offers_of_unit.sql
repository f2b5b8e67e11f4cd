-- How often a unit was asked within a day is counted by unit: without an index of its own each count reads the whole
-- day of all units.
create index offer_of_unit on offer (unit_id, sent_at);
