-- Which bookings somebody should look at, longest first. Folded like the rest of the view: `bellhop rebuild`
-- fills in what programs wrote that do not know the column.
ALTER TABLE bookings ADD COLUMN attention_since BIGINT;
CREATE INDEX bookings_in_trouble ON bookings (attention_since, id) WHERE attention_since IS NOT NULL;
