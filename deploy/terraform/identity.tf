# Nodes and workers have an account each, whose rights are the bucket and their secrets.
resource "google_service_account" "fleet" {
  for_each     = toset(["node", "worker"])
  account_id   = "${var.name}-${each.key}"
  display_name = "Skein ${each.key}"
}

resource "google_storage_bucket_iam_member" "blobs" {
  for_each = google_service_account.fleet
  bucket   = google_storage_bucket.blobs.name
  role     = "roles/storage.objectUser"
  member   = each.value.member
}

# The id of a key is hexadecimal, its secret has 43 letters and digits.
resource "random_id" "key" {
  for_each    = toset(["admin", "read"])
  byte_length = 6
}

resource "random_password" "key" {
  for_each = toset(["admin", "read"])
  length   = 43
  special  = false
}

# By which nodes prove to each other that they are of one fleet.
resource "random_password" "fleet" {
  length  = 48
  special = false
}

resource "google_secret_manager_secret" "fleet" {
  for_each  = toset(["admin-key", "read-key", "fleet-key", "redis-url"])
  secret_id = "${var.name}-${each.key}"
  replication {
    auto {}
  }
  depends_on = [google_project_service.needed]
}

resource "google_secret_manager_secret_version" "key" {
  for_each    = random_password.key
  secret      = google_secret_manager_secret.fleet["${each.key}-key"].id
  secret_data = "skein_${random_id.key[each.key].hex}_${each.value.result}"
}

resource "google_secret_manager_secret_version" "fleet_key" {
  secret      = google_secret_manager_secret.fleet["fleet-key"].id
  secret_data = random_password.fleet.result
}

resource "google_secret_manager_secret_version" "redis_url" {
  secret      = google_secret_manager_secret.fleet["redis-url"].id
  secret_data = local.store_url
}

# On Cloud Run the accounts read their secrets themselves, and instances do not call each other; on GKE the operator
# copies them (docs/guide/google-cloud.md).
resource "google_secret_manager_secret_iam_member" "node" {
  for_each  = toset(var.platform == "cloud-run" ? ["admin-key", "read-key", "redis-url"] : [])
  secret_id = google_secret_manager_secret.fleet[each.key].id
  role      = "roles/secretmanager.secretAccessor"
  member    = google_service_account.fleet["node"].member
}

resource "google_secret_manager_secret_iam_member" "worker" {
  count     = var.platform == "cloud-run" ? 1 : 0
  secret_id = google_secret_manager_secret.fleet["redis-url"].id
  role      = "roles/secretmanager.secretAccessor"
  member    = google_service_account.fleet["worker"].member
}
