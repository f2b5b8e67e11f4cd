-- A batch of a notice in a tenth of the time: what it cost was mostly looking for whom it is, and asking row by row
-- whether phones are there that it had just locked.

-- Mail and receipts are of phones that exist: whoever writes them has locked the phone's row before, and a phone with
-- either stays. It is revoked, never deleted.
alter table outbox drop constraint outbox_device_id_fkey;
alter table receipt drop constraint receipt_device_id_fkey;

create function keep_device() returns trigger language plpgsql as $$
begin
    if exists (select 1 from outbox where device_id = old.id) or exists (select 1 from receipt where device_id = old.id) then
        raise foreign_key_violation using message = 'a phone that was written to is revoked, not deleted';
    end if;
    return case when tg_op = 'DELETE' then old else new end;
end $$;
create trigger device_kept_delete before delete on device for each row execute function keep_device();
create trigger device_kept_update before update of id on device for each row when (new.id <> old.id)
    execute function keep_device();

-- Write one batch of one notice, urgent ones first; null when nothing waits. In one transaction with how far it has
-- come, so that whoever goes on after a crash writes no phone's row twice, and leaves out none. Phones are taken in
-- their order and each one's unit is looked up: a join would read all units for every phone.
create or replace function post_notice(most integer, bound integer, moment timestamptz) returns jsonb language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off as $$
declare
    job    notice;
    phones text[] := '{}';
    ends   timestamptz;
    posted jsonb;
begin
    select * into job from notice where sent_at is null
    order by array_position(array['urgent', 'warn', 'info'], level), id
    limit 1 for update skip locked;
    if not found then
        return null;
    end if;
    ends := least(job.expires_at, job.at + interval '24 hours');
    if job.withdrawn_at is not null then
        phones := array(
            select r.device_id from receipt r
            where r.notice_id = job.id and r.device_id > job.reached
                and (select d.revoked_at is null from device d where d.id = r.device_id)
            order by r.device_id limit most);
    elsif job.expires_at > moment then
        phones := array(
            select d.id from device d
            where d.id > job.reached and d.revoked_at is null
                and (job.unit_ids is null or d.unit_id in (select unnest(job.unit_ids)))
                and (select not u.disabled and (u.juris = job.juris or (u.juris >= job.juris || '.' and u.juris < job.juris || '/'))
                     from unit u where u.id = d.unit_id)
            order by d.id limit most);
    end if;
    perform 1 from device where id = any(phones) order by id for no key update;
    if job.rev > 1 then
        update outbox set superseded = true
        where device_id = any(phones) and ref = job.id and acked_at is null and not superseded;
    end if;
    with grown as (
        update device set head = head + 1 where id = any(phones) returning id, unit_id, head
    ), written as (
        insert into outbox (device_id, seq, incident_id, ref, at, expires_at, frame)
        select id, head, null, job.id, moment, ends, job.frame from grown
    ), noted as (
        insert into receipt (notice_id, device_id) select job.id, id from grown on conflict do nothing
    )
    select jsonb_agg(jsonb_build_object('device', id, 'unit', unit_id, 'seq', head) order by id) into posted from grown;
    perform trim_outbox(phones, bound, moment);
    update notice set reached = coalesce(phones[cardinality(phones)], reached),
                      sent_at = case when cardinality(phones) < most then moment end
    where id = job.id;
    return jsonb_build_object('id', job.id, 'frame', job.frame, 'posted', coalesce(posted, '[]'), 'expires_at', ends);
end $$;
