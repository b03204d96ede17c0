-- A pair goes on with what its target record became: the Contact of a converted Lead. The record that it was before is
-- kept, so that a mapping that asks for its Lead hears that there is none any more, and why.
ALTER TABLE links ADD COLUMN former_object TEXT;
ALTER TABLE links ADD COLUMN former TEXT;
