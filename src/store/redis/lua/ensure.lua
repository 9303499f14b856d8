-- Makes the channels that are not known; for the others it counts as activity. Answers the number of the newest event.
for _, wanted in ipairs(wanted_channels()) do
  channel(wanted[1], wanted[2], wanted[3])
  touch_channel(wanted[1])
end
return head()
