ALTER TABLE runs ADD COLUMN failed_cell_name TEXT
