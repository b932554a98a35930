-- Which bookings somebody should look at, longest first. Folded like the rest of the view; a program that
-- does not know the column leaves it as it is, which `bellhop rebuild` mends.
ALTER TABLE bookings ADD COLUMN attention_since BIGINT;
UPDATE bookings SET attention_since = changed_at WHERE view LIKE '%"attention":{"cause"%';
CREATE INDEX bookings_in_trouble ON bookings (attention_since, id) WHERE attention_since IS NOT NULL;
