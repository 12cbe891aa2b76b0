read -r n w
mapfile -t lights < <(tr ' ' '\n' | grep . | sort -n)
heavies=("${lights[@]}") # An array is quick only near the element that was read last.
light=0 trips=0
for ((heavy = n - 1; light <= heavy; heavy--, trips++)); do
  ((light < heavy && lights[light] + heavies[heavy] <= w && light++))
done
echo "$trips"
