-- Tells webhooks that a client was too slow. fields: see append_webhook.
local subject, fields = arg(), arg()
if is_told('slow_client') then append_webhook('slow_client', subject, nil, fields) end
return 1
